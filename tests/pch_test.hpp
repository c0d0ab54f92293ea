// Precompiled for every test program.
#pragma once

#include "../src/pch.hpp"

#include <catch2/catch.hpp>
