"""BGA packages for the family `bga_package`: 256 x 256 pictures in two looks, X-ray and optical, never mixed."""

from export.simulator.xray.packages.defects import DEFECTS_OF, PackageDefect
from export.simulator.xray.packages.grid import OPTICAL_TYPES, XRAY_TYPES, Look, PackageType, package_type
from export.simulator.xray.packages.package import PackagePicture, draw_package
from export.simulator.xray.packages.paper import place_balls, scratch, segment_balls
from export.simulator.xray.packages.sets import PackageSet, write_package_set

__all__ = [
    "DEFECTS_OF",
    "OPTICAL_TYPES",
    "XRAY_TYPES",
    "Look",
    "PackageDefect",
    "PackagePicture",
    "PackageSet",
    "PackageType",
    "draw_package",
    "package_type",
    "place_balls",
    "scratch",
    "segment_balls",
    "write_package_set",
]
