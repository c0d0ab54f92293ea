// crash_reporter: when plugin code kills the process, the last line on standard error says whose.
//
// On SIGSEGV, SIGABRT, SIGBUS, SIGFPE and SIGILL one line is written with async-signal-safe calls
// only, then the signal takes the way it would have taken (earlier handlers, core dump).
// Threads: call once, before plugins are loaded. Repeated calls change nothing.
#pragma once

namespace flexcore::plugin {

void install_crash_reporter();

}  // namespace flexcore::plugin
