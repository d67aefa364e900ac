"""Standardised uptake values by body weight, from what a PET series says in its header.

SUV = activity concentration (Bq/ml) * weight (g) / dose (Bq), where the dose is that at the time to
which the image is corrected for decay (QIBA profile FDG-PET/CT; PS3.3 C.8.9.1).
"""

from __future__ import annotations

import copy
import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydicom import Dataset

from bundle.errors import InputError
from bundle.images.dicom_header import numbers, text_of

PHILIPS, SUV_FACTOR, ACTIVITY_FACTOR = (0x7053, "Philips PET Private Group"), 0x00, 0x09
"""Philips' own group, and where it keeps what turns counts into SUV and into Bq/ml."""

UNIT = "SUV (g/ml)"

WEIGHTS = (1.0, 400.0)
"""Kilograms that a patient has."""

DOSES = (1e5, 1e11)
"""Becquerels that are injected; scanners that write MBq are told by it."""

SAME = timedelta(seconds=1)
"""Times of one scan may differ by."""

MOST_HALF_LIVES = 10
"""Half-lives between injection and scan at most."""


class NoSuv(ValueError):
    """Why no standardised uptake value can be computed."""


@dataclass(frozen=True)
class Suv:
    """How values become standardised uptake values by body weight.

    Attributes:
        factor: SUV = values * factor.
        method: what it was computed from, in words that name no patient.
        applied: whether the volume's values are SUVs already.
    """

    factor: float
    method: str
    applied: bool = False


def suv_of(header: Dataset) -> Suv:
    """Find the factor of a PET series.

    Args:
        header: of its first slice.

    Raises:
        NoSuv: the header lacks something, or says what cannot be.
    """
    try:
        return _factor(header)
    except InputError as error:
        raise NoSuv("what it says of unit, dose or time is damaged") from error


def _factor(header: Dataset) -> Suv:
    units = text_of(header, "Units").upper()
    if units == "GML":
        kind = (text_of(header, "SUVType") or "BW").upper()
        if kind != "BW":
            raise NoSuv(f"its values are SUV of another kind ({kind})")
        return Suv(1.0, "the file, whose values are SUV by body weight")
    if units == "CNTS":
        return _of_philips(header)
    if units != "BQML":
        said = f"says Units {units}, no activity concentration" if units else "has no Units"
        raise NoSuv(f"its DICOM header {said}")
    factor, method = _per_becquerel(header)
    return Suv(factor, method)


def _of_philips(header: Dataset) -> Suv:
    suv, activity = (_philips(header, element) for element in (SUV_FACTOR, ACTIVITY_FACTOR))
    if suv:
        return Suv(suv, "Philips' own factor from counts")
    if not activity:
        raise NoSuv("its unit is counts, without Philips' factors (7053,1000) and (7053,1009)")
    factor, method = _per_becquerel(header)
    return Suv(activity * factor, f"Philips' own factor from counts to Bq/ml, {method}")


def _philips(header: Dataset, element: int) -> float:
    try:
        value = float(header.private_block(*PHILIPS)[element].value)
    except (KeyError, TypeError, ValueError):
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0


def _per_becquerel(header: Dataset) -> tuple[float, str]:
    """SUV per Bq/ml."""
    grams = 1000 * _number(header, "PatientWeight", *WEIGHTS)
    items = header.get("RadiopharmaceuticalInformationSequence") or []
    if not items:
        raise NoSuv("its header lacks RadiopharmaceuticalInformationSequence")
    tracer = items[0]
    dose = _number(tracer, "RadionuclideTotalDose", *DOSES)
    corrected = text_of(header, "DecayCorrection").upper()
    if corrected == "ADMIN":
        return grams / dose, "weight and injected dose; the image is corrected to the injection"
    if corrected != "START":
        raise NoSuv(f"it is not corrected for decay (DecayCorrection {corrected or 'missing'})")
    half_life = _number(tracer, "RadionuclideHalfLife", 1.0, math.inf)
    scan, source = _scan_time(header, half_life)
    zone = text_of(header, "TimezoneOffsetFromUTC")
    elapsed = (scan - _injection(tracer, scan, zone)).total_seconds()
    if not 0 <= elapsed <= MOST_HALF_LIVES * half_life:
        raise NoSuv(f"its times put {elapsed:.0f} s between injection and scan")
    left = 0.5 ** (elapsed / half_life)
    return (
        grams / (dose * left),
        f"weight and dose, of which {100 * left:.1f} % were left {elapsed:.0f} s after the "
        f"injection, at the {source}",
    )


def _number(source: Dataset, keyword: str, lowest: float, highest: float) -> float:
    try:
        value = (numbers(source, keyword) or [0.0])[0]
    except InputError as error:
        raise NoSuv(f"its {keyword} is no number") from error
    if not value:
        raise NoSuv(f"its header lacks {keyword}")
    if not lowest <= value <= highest:
        raise NoSuv(f"its {keyword} of {value:g} cannot be")
    return value


def _scan_time(header: Dataset, half_life: float) -> tuple[datetime, str]:
    """When the scan began, to which the image is corrected.

    The series' time is that of the scan, unless it was made anew: then it is later than the
    acquisition's, which leads back to it by the time of the frame.
    """
    series, acquired = (_moment(header, kind) for kind in ("Series", "Acquisition"))
    if series is not None and acquired is None:
        alone = text_of(header, "AcquisitionTime")
        whole = _parsed(series.strftime("%Y%m%d") + alone) or series
        if abs(whole - series) > SAME:
            raise NoSuv("its AcquisitionTime has no date and is not its SeriesTime")
    if series is not None and (acquired is None or series <= acquired):
        return series, "series time"
    if acquired is None:
        raise NoSuv("its header lacks SeriesTime and AcquisitionTime")
    reference = numbers(header, "FrameReferenceTime")
    duration = numbers(header, "ActualFrameDuration")
    if not (reference and duration and duration[0] > 0):
        return acquired, "acquisition time"
    decay = math.log(2) / half_life
    during = decay * duration[0] / 1000  # milliseconds
    mean = math.log(during / -math.expm1(-during)) / decay  # when the count rate is the mean one
    return acquired + timedelta(seconds=mean - reference[0] / 1000), "acquisition time"


def _injection(tracer: Dataset, scan: datetime, zone: str) -> datetime:
    """When it was injected, by the clock of the scan: of a time alone the last one before it."""
    text, offset = _zoned(text_of(tracer, "RadiopharmaceuticalStartDateTime"))
    whole = _parsed(text)
    if whole is not None and offset is None:
        return whole
    local = _zoned(zone)[1]
    if whole is not None and offset is not None and local is not None:
        return whole - offset + local
    alone = text_of(tracer, "RadiopharmaceuticalStartTime")
    moment = _parsed(scan.strftime("%Y%m%d") + alone) if alone else None
    if moment is None:
        if offset is not None:
            raise NoSuv("its injection has a UTC offset, its scan no TimezoneOffsetFromUTC")
        raise NoSuv("its header lacks RadiopharmaceuticalStartTime")
    return moment - timedelta(days=1) if moment > scan else moment


def _moment(header: Dataset, kind: str) -> datetime | None:
    date, time = (text_of(header, f"{kind}{what}") for what in ("Date", "Time"))
    return _parsed(date + time) if date and time else None


def _parsed(text: str) -> datetime | None:
    """DICOM's date and time in one, without a zone; None if it is none."""
    digits, _, fraction = text.strip().partition(".")
    digits = digits.replace(":", "")
    try:
        whole = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return whole + timedelta(seconds=float(f"0.{fraction}") if fraction.isdigit() else 0.0)


def _zoned(text: str) -> tuple[str, timedelta | None]:
    """A date and time and, if it ends in one, its offset from UTC, such as +0200."""
    found = re.search(r"([+-])(\d\d):?(\d\d)$", text.strip())
    if found is None:
        return text, None
    sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return text.strip()[: found.start()], -offset if sign == "-" else offset


def as_suv(image: Any, header: Dataset, suv: Suv) -> tuple[Any, Dataset]:
    """A volume and its header in standardised uptake values.

    Args:
        image: a ``SimpleITK.Image`` or array.
        header: of its series.
        suv: what :func:`suv_of` found.
    """
    changed = copy.deepcopy(header)
    for factor in changed.group_dataset(PHILIPS[0]):
        del changed[factor.tag]
    changed.Units, changed.SUVType = "GML", "BW"
    return image * suv.factor, changed
