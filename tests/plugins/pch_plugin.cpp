// Owns the precompiled header of the plugins here.
