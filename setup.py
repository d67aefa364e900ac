"""Where the wheel's files lie: ``bundle`` as it is, all else below ``bimsrec``.

``bimsrec`` is then the bundle root of the installed package, as the repository is of a checkout:
``configs``, ``models`` and ``scripts`` lie beside each other (see ``bundle/paths.py``).
"""

from setuptools import find_packages, setup

BELOW = ("configs", "models", "scripts")

setup(
    packages=[
        *find_packages(include=["bundle", "bundle.*"]),
        *(f"bimsrec.{name}" for name in (*BELOW, "configs.recipe", "scripts.monailabel_app")),
    ],
    package_dir={f"bimsrec.{name}": name for name in BELOW},
    package_data={
        "bundle.results": ["templates/*", "templates/vendor/*"],
        "bimsrec.configs": ["*.json", "*.conf", "recipe/*.json"],
        "bimsrec.models": ["model.pt", "combiner.pt", "LICENSE"],
    },
)
