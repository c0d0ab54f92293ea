// The object that the precompiled header of the tests is built with.
