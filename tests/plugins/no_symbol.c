/* A shared library that exports no entry function (a private one keeps the file from being empty).
 */
int flexcore_plugin_something_else(void);
int flexcore_plugin_something_else(void) { return 1; }
