"""What every tissue shows in every contrast: mean and spread between subjects and scanners.

MRI in relative units, CT in Hounsfield units, PET and SPECT as activity relative to the cortex.
"""

from __future__ import annotations

from collections.abc import Mapping

from bundle.training.heads.tissues import Tissue

_T = Tissue
Table = Mapping[Tissue, tuple[float, float]]
"""Tissue to mean and standard deviation."""

# MPRAGE and T1 spin echo at 1.5 to 3 T: order of the tissues from T1 of 850 (white), 1300 (grey),
# 4000 ms (CSF) and 380 ms (fat) at 3 T, Bojorquez et al., Magn Reson Imaging 35 (2017) 69.
T1: Table = {
    _T.BACKGROUND: (0.01, 0.005), _T.CSF: (0.15, 0.04), _T.VENTRICLE: (0.13, 0.03),
    _T.CORTEX: (0.49, 0.04), _T.WHITE_MATTER: (0.75, 0.04), _T.THALAMUS: (0.62, 0.04),
    _T.CAUDATE: (0.53, 0.04), _T.PUTAMEN: (0.57, 0.04), _T.PALLIDUM: (0.68, 0.04),
    _T.HIPPOCAMPUS: (0.50, 0.04), _T.CEREBELLAR_CORTEX: (0.50, 0.05),
    _T.CEREBELLAR_WHITE: (0.73, 0.04), _T.BRAIN_STEM: (0.69, 0.05), _T.CHOROID: (0.34, 0.10),
    _T.BONE: (0.07, 0.03), _T.MARROW: (0.60, 0.15), _T.SOFT: (0.38, 0.06), _T.SKIN: (0.58, 0.12),
    _T.EYE: (0.17, 0.04), _T.MUCOSA: (0.42, 0.10), _T.CORD: (0.62, 0.05), _T.VEIN: (0.35, 0.12),
    _T.FAT: (0.92, 0.15), _T.LESION: (0.42, 0.15),
}  # fmt: skip

# Fast spin echo, TE about 90 ms: T2 of 75 (white), 95 (grey), 2000 ms (CSF), and bright fat of
# J coupling; flow makes vessels dark.
T2: Table = {
    _T.BACKGROUND: (0.01, 0.005), _T.CSF: (0.85, 0.10), _T.VENTRICLE: (0.93, 0.08),
    _T.CORTEX: (0.50, 0.05), _T.WHITE_MATTER: (0.34, 0.04), _T.THALAMUS: (0.42, 0.04),
    _T.CAUDATE: (0.46, 0.04), _T.PUTAMEN: (0.41, 0.04), _T.PALLIDUM: (0.28, 0.05),
    _T.HIPPOCAMPUS: (0.52, 0.04), _T.CEREBELLAR_CORTEX: (0.48, 0.05),
    _T.CEREBELLAR_WHITE: (0.36, 0.04), _T.BRAIN_STEM: (0.38, 0.04), _T.CHOROID: (0.60, 0.15),
    _T.BONE: (0.04, 0.02), _T.MARROW: (0.30, 0.10), _T.SOFT: (0.17, 0.05), _T.SKIN: (0.32, 0.10),
    _T.EYE: (0.95, 0.08), _T.MUCOSA: (0.70, 0.15), _T.CORD: (0.38, 0.05), _T.VEIN: (0.25, 0.18),
    _T.FAT: (0.50, 0.14), _T.LESION: (0.80, 0.12),
}  # fmt: skip

# Proton density of white 0.69, grey 0.82, CSF 1 (Tofts, Quantitative MRI of the brain, 2003),
# weighted by a TE of about 20 ms and a TR of 2 to 3 s.
PD: Table = {
    _T.BACKGROUND: (0.01, 0.005), _T.CSF: (0.60, 0.10), _T.VENTRICLE: (0.57, 0.10),
    _T.CORTEX: (0.74, 0.04), _T.WHITE_MATTER: (0.59, 0.04), _T.THALAMUS: (0.66, 0.04),
    _T.CAUDATE: (0.71, 0.04), _T.PUTAMEN: (0.68, 0.04), _T.PALLIDUM: (0.56, 0.05),
    _T.HIPPOCAMPUS: (0.74, 0.04), _T.CEREBELLAR_CORTEX: (0.72, 0.04),
    _T.CEREBELLAR_WHITE: (0.60, 0.04), _T.BRAIN_STEM: (0.60, 0.04), _T.CHOROID: (0.65, 0.12),
    _T.BONE: (0.07, 0.03), _T.MARROW: (0.50, 0.12), _T.SOFT: (0.40, 0.07), _T.SKIN: (0.55, 0.12),
    _T.EYE: (0.60, 0.08), _T.MUCOSA: (0.70, 0.12), _T.CORD: (0.60, 0.05), _T.VEIN: (0.30, 0.18),
    _T.FAT: (0.80, 0.15), _T.LESION: (0.84, 0.10),
}  # fmt: skip

# Inversion at about 2.2 s takes the liquid out of a T2 weighting.
FLAIR: Table = {
    _T.BACKGROUND: (0.01, 0.005), _T.CSF: (0.14, 0.05), _T.VENTRICLE: (0.10, 0.03),
    _T.CORTEX: (0.61, 0.05), _T.WHITE_MATTER: (0.47, 0.05), _T.THALAMUS: (0.54, 0.04),
    _T.CAUDATE: (0.59, 0.04), _T.PUTAMEN: (0.55, 0.04), _T.PALLIDUM: (0.43, 0.05),
    _T.HIPPOCAMPUS: (0.65, 0.05), _T.CEREBELLAR_CORTEX: (0.56, 0.05),
    _T.CEREBELLAR_WHITE: (0.47, 0.05), _T.BRAIN_STEM: (0.47, 0.05), _T.CHOROID: (0.50, 0.15),
    _T.BONE: (0.05, 0.02), _T.MARROW: (0.35, 0.12), _T.SOFT: (0.28, 0.06), _T.SKIN: (0.42, 0.10),
    _T.EYE: (0.10, 0.04), _T.MUCOSA: (0.60, 0.12), _T.CORD: (0.48, 0.05), _T.VEIN: (0.25, 0.15),
    _T.FAT: (0.62, 0.15), _T.LESION: (0.90, 0.08),
}  # fmt: skip

# Grey 37 to 41, white 28 to 32, CSF 0 to 15, blood 50, muscle 50, fat -100 to -60 HU: textbook
# values (e.g. Hounsfield scale in Bushberg, The essential physics of medical imaging).
CT: Table = {
    _T.BACKGROUND: (-1000.0, 5.0), _T.CSF: (9.0, 3.0), _T.VENTRICLE: (7.0, 3.0),
    _T.CORTEX: (38.0, 2.0), _T.WHITE_MATTER: (29.5, 2.0), _T.THALAMUS: (36.0, 2.0),
    _T.CAUDATE: (38.0, 2.0), _T.PUTAMEN: (38.0, 2.0), _T.PALLIDUM: (40.0, 5.0),
    _T.HIPPOCAMPUS: (36.0, 2.0), _T.CEREBELLAR_CORTEX: (38.0, 2.0),
    _T.CEREBELLAR_WHITE: (31.0, 2.0), _T.BRAIN_STEM: (31.0, 2.0), _T.CHOROID: (42.0, 14.0),
    _T.BONE: (1150.0, 180.0), _T.MARROW: (330.0, 120.0), _T.SOFT: (50.0, 8.0),
    _T.SKIN: (-30.0, 35.0), _T.EYE: (15.0, 5.0), _T.MUCOSA: (40.0, 10.0), _T.CORD: (32.0, 4.0),
    _T.VEIN: (50.0, 8.0), _T.FAT: (-85.0, 12.0), _T.LESION: (30.0, 18.0),
}  # fmt: skip

# FDG: grey to white 3 to 4 before the blur, cerebellum 0.8 to 0.95 of the cortex, basal ganglia
# above it (Huang et al., Am J Physiol 238 (1980) E69; Bohnen et al., J Nucl Med 53 (2012) 59).
PET: Table = {
    _T.BACKGROUND: (0.0, 0.002), _T.CSF: (0.06, 0.03), _T.VENTRICLE: (0.03, 0.02),
    _T.CORTEX: (1.0, 0.05), _T.WHITE_MATTER: (0.26, 0.04), _T.THALAMUS: (0.97, 0.08),
    _T.CAUDATE: (0.98, 0.10), _T.PUTAMEN: (1.04, 0.10), _T.PALLIDUM: (0.65, 0.08),
    _T.HIPPOCAMPUS: (0.72, 0.07), _T.CEREBELLAR_CORTEX: (0.90, 0.09),
    _T.CEREBELLAR_WHITE: (0.38, 0.06), _T.BRAIN_STEM: (0.52, 0.07), _T.CHOROID: (0.20, 0.08),
    _T.BONE: (0.05, 0.02), _T.MARROW: (0.12, 0.04), _T.SOFT: (0.13, 0.05), _T.SKIN: (0.07, 0.03),
    _T.EYE: (0.08, 0.03), _T.MUCOSA: (0.22, 0.10), _T.CORD: (0.30, 0.06), _T.VEIN: (0.15, 0.05),
    _T.FAT: (0.04, 0.02), _T.LESION: (0.55, 0.40),
}  # fmt: skip

# HMPAO and ECD: grey to white 2.5 to 4, strong cerebellum, scalp that is seen (Catafau, J Nucl
# Med 42 (2001) 259).
SPECT: Table = {
    **PET, _T.WHITE_MATTER: (0.32, 0.06), _T.PUTAMEN: (1.02, 0.10), _T.CAUDATE: (0.95, 0.10),
    _T.CEREBELLAR_CORTEX: (1.05, 0.10), _T.CEREBELLAR_WHITE: (0.45, 0.07),
    _T.SOFT: (0.20, 0.08), _T.SKIN: (0.18, 0.07), _T.MARROW: (0.16, 0.06), _T.FAT: (0.10, 0.04),
    _T.VEIN: (0.40, 0.12), _T.MUCOSA: (0.35, 0.12), _T.LESION: (0.35, 0.25),
}  # fmt: skip

TABLES: Mapping[str, Table] = {
    "T1": T1, "T2": T2, "FLAIR": FLAIR, "PD": PD, "CT": CT, "PET": PET, "SPECT": SPECT,
}  # fmt: skip
