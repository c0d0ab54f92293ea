// Precompiled for the sub-commands: CLI11 is headers only, and large.
#pragma once

#include "pch.hpp"

#include <CLI/CLI.hpp>

#include <ostream>
