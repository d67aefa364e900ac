"""Factors of standardised uptake values, computed by hand from what headers say."""

import numpy as np
import pytest
from pydicom import Dataset

from bundle.images.suv import NoSuv, as_suv, suv_of

HALF_LIFE = 6000.0
"""Seconds: a day's fractions are then halves of the dose."""


def header(**changed):
    """70 kg, 280 MBq injected at 09:00, scanned at 10:40, one half-life later."""
    tracer = Dataset()
    tracer.RadionuclideTotalDose = 280e6
    tracer.RadionuclideHalfLife = HALF_LIFE
    tracer.RadiopharmaceuticalStartTime = "090000.00"
    found = Dataset()
    found.Units, found.DecayCorrection, found.PatientWeight = "BQML", "START", 70
    found.SeriesDate, found.SeriesTime = "20200102", "104000"
    found.AcquisitionDate, found.AcquisitionTime = "20200102", "104000.000"
    for keyword, value in changed.items():
        target = tracer if keyword in TRACER else found
        if value is None:
            del target[keyword]
        else:
            setattr(target, keyword, value)
    found.RadiopharmaceuticalInformationSequence = [tracer]
    return found


TRACER = (
    "RadionuclideTotalDose",
    "RadionuclideHalfLife",
    "RadiopharmaceuticalStartTime",
    "RadiopharmaceuticalStartDateTime",
)
AT_SCAN = 70e3 / 140e6
"""Half of the dose is left: SUV of 1 Bq/ml."""


@pytest.mark.parametrize(
    ("changed", "factor"),
    [
        ({}, AT_SCAN),
        ({"DecayCorrection": "ADMIN"}, 70e3 / 280e6),
        ({"PatientWeight": 35}, AT_SCAN / 2),
        ({"SeriesTime": "122000"}, AT_SCAN),  # made anew at noon: the acquisition's time counts
        ({"SeriesTime": "090000"}, AT_SCAN / 2),  # a series that began at the injection
        ({"AcquisitionDate": None}, AT_SCAN),
        ({"SeriesDate": None}, AT_SCAN),
        ({"RadiopharmaceuticalStartDateTime": "20200102090000.000000"}, AT_SCAN),
        ({"RadiopharmaceuticalStartDateTime": "20200102104000"}, AT_SCAN / 2),
        (
            {
                "RadiopharmaceuticalStartDateTime": "20200102090000.00+0100",
                "TimezoneOffsetFromUTC": "+0100",
            },
            AT_SCAN,
        ),
        # of the scan's offset nothing is said: the time alone counts
        ({"RadiopharmaceuticalStartDateTime": "20200102140000+0000"}, AT_SCAN),
        ({"AcquisitionDate": None, "AcquisitionTime": "104000.25"}, AT_SCAN),
        (  # 09:00 where it was scanned
            {
                "RadiopharmaceuticalStartDateTime": "20200102140000-0000",
                "TimezoneOffsetFromUTC": "-0500",
            },
            AT_SCAN,
        ),
        # past midnight: a scan at 00:40, injected at 23:00 of the day before
        (
            {
                "SeriesTime": "004000", "AcquisitionTime": "004000",
                "RadiopharmaceuticalStartTime": "230000",
            },
            AT_SCAN,
        ),
        ({"Units": "GML"}, 1.0),
        ({"Units": "GML", "SUVType": "BW"}, 1.0),
    ],
)  # fmt: skip
def test_factors_by_hand(changed, factor):
    found = suv_of(header(**changed))
    assert found.factor == pytest.approx(factor, rel=1e-9)
    assert not found.applied and "70" not in found.method


def test_a_reconstructed_frame_leads_back_to_the_start_of_the_scan():
    """The mean count rate of a frame of one half-life comes 0.4712 half-lives after its start."""
    late = {"SeriesTime": "180000", "AcquisitionTime": "115000"}
    times = {"FrameReferenceTime": 4200e3 + 0.4712336 * HALF_LIFE * 1e3, "ActualFrameDuration": 6e6}
    found = suv_of(header(**late, **times))  # the frame began 4200 s after the scan did
    assert found.factor == pytest.approx(AT_SCAN, rel=1e-6)


def philips(suv=None, activity=None):
    found = header(Units="CNTS")
    block = found.private_block(0x7053, "Philips PET Private Group", create=True)
    for element, value in ((0x00, suv), (0x09, activity)):
        if value is not None:
            block.add_new(element, "DS", value)
    return found


def test_factors_of_counts_do_not_stay_beside_uptake_values():
    given = philips("0.00025")
    values, changed = as_suv(np.array([4.0]), given, suv_of(given))
    assert values.tolist() == [0.001] and (changed.Units, changed.SUVType) == ("GML", "BW")
    assert suv_of(changed).factor == 1 and not any(one.tag.is_private for one in changed)
    assert given.Units == "CNTS"


def test_counts_of_philips():
    assert suv_of(philips("0.00025", "3.5")).factor == 0.00025
    assert suv_of(philips("0", "3.5")).factor == pytest.approx(3.5 * AT_SCAN)
    with pytest.raises(NoSuv, match=r"without Philips' factors \(7053,1000\) and \(7053,1009\)"):
        suv_of(philips())
    with pytest.raises(NoSuv, match="without Philips' factors"):
        suv_of(header(Units="CNTS"))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"PatientWeight": None}, "lacks PatientWeight"),
        ({"PatientWeight": 0}, "lacks PatientWeight"),
        ({"PatientWeight": 7000}, "PatientWeight of 7000 cannot be"),
        ({"RadionuclideTotalDose": None}, "lacks RadionuclideTotalDose"),
        ({"RadionuclideTotalDose": 280}, "RadionuclideTotalDose of 280 cannot be"),  # MBq
        ({"RadionuclideHalfLife": None}, "lacks RadionuclideHalfLife"),
        ({"RadiopharmaceuticalStartTime": None}, "lacks RadiopharmaceuticalStartTime"),
        ({"RadiopharmaceuticalStartDateTime": "20200103090000"}, "put -80400 s between injection"),
        ({"RadiopharmaceuticalStartDateTime": "20190102090000"}, "s between injection and scan"),
        ({"SeriesTime": None, "AcquisitionTime": None}, "lacks SeriesTime and AcquisitionTime"),
        (
            {
                "RadiopharmaceuticalStartDateTime": "20200102090000+0000",
                "RadiopharmaceuticalStartTime": None,
            },
            "no TimezoneOffsetFromUTC",
        ),
        ({"AcquisitionDate": None, "AcquisitionTime": "112000"}, "AcquisitionTime has no date"),
        ({"AcquisitionDate": "", "SeriesTime": "180000"}, "AcquisitionTime has no date"),
        ({"DecayCorrection": "NONE"}, "not corrected for decay .DecayCorrection NONE"),
        ({"DecayCorrection": None}, "not corrected for decay .DecayCorrection missing"),
        ({"Units": None}, "its DICOM header has no Units"),
        ({"Units": "PROPCNTS"}, "Units PROPCNTS, no activity concentration"),
        ({"Units": "GML", "SUVType": "LBM"}, "SUV of another kind .LBM"),
    ],
)
def test_what_is_missing_is_named(changed, reason):
    with pytest.raises(NoSuv, match=reason):
        suv_of(header(**changed))


def test_a_header_without_a_tracer():
    found = header()
    del found.RadiopharmaceuticalInformationSequence
    with pytest.raises(NoSuv, match="lacks RadiopharmaceuticalInformationSequence"):
        suv_of(found)
