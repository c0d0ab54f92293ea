"""The C and C++ files of the repository."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def code_files():
    found = []
    for top in ("include", "src", "plugins", "tests"):
        for folder, names, files in os.walk(os.path.join(ROOT, top)):
            names[:] = [n for n in names if n != "node_modules"]
            found += [os.path.relpath(os.path.join(folder, f), ROOT) for f in files
                      if f.endswith((".cpp", ".hpp", ".c", ".h"))]
    return sorted(found)
