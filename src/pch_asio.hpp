// Precompiled for the few modules that speak Asio and Beast.
#pragma once

#include "pch.hpp"

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
