"""Images and masks in the folders and with the names that public data sets have."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from GenSegLib.cases import CaseSet, Role
from GenSegLib.checks.check_cases import check_cases
from GenSegLib.checks.classes import with_classes
from GenSegLib.datasets.case_labels import read_case_label
from GenSegLib.datasets.layouts import read_cases, read_pair_folders
from GenSegLib.datasets.mask_names import Name, match_masks
from GenSegLib.errors import GenSegError
from GenSegLib.files import write_json
from GenSegLib.presets import load_preset
from Testing.dicom_pictures import write_dicom_picture

SIZE = 16


def write_files(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def write_mask(path: Path, left: int, right: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[2:6, left:right] = 255
    Image.fromarray(mask).save(path)


def write_photo(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (SIZE, SIZE), np.uint8)
    Image.fromarray(noise).save(path)


LAYOUTS = {
    # name of the set: image and mask of the cases 1 and 2, with {} for the number
    "ISIC": ("Training_Input/ISIC_{}.jpg", "Training_GroundTruth/ISIC_{}_segmentation.png"),
    "PH2": ("images/{0}/IMD{0}_Image/IMD{0}.bmp", "images/{0}/IMD{0}_lesion/IMD{0}_lesion.bmp"),
    "BUSI": ("benign/benign ({}).png", "benign/benign ({})_mask.png"),
    "BUSBRA": ("Images/bus_{}-l.png", "Masks/mask_{}-l.png"),
    "BrEaST": ("case{}.png", "case{}_tumor.png"),
    "ClinicDB": ("Original/{}.tif", "Ground Truth/{}.tif"),
    "PolypGen": ("images_C1/{}OLCV1.jpg", "masks_C1/{}OLCV1_mask.jpg"),
    "DRIVE": ("training/images/2{}_training.tif", "training/1st_manual/2{}_manual1.gif"),
    "Shenzhen": ("img/CHNCXR_{}_0.png", "mask/CHNCXR_{}_0_mask.png"),
    "DermQuest": ("melanoma/{}_orig.jpg", "melanoma/{}_contour.png"),
    "FetReg": ("Video00{0}/images/anon_{0}.png", "Video00{0}/labels/anon_{0}.png"),
    "patients": ("images/p{}/image 1.PNG", "masks/p{}/image 1.png"),
    "folders of cases": ("p{}/image.png", "p{}/mask.png"),
    "one folder": ("photo {}.JPG", "photo {}.png"),
    "capitals": ("IMAGES/Photo{}.JPG", "Masks/photo{}.png"),
    "names like masks": ("a/images/seg_{}.png", "a/masks/seg_{}.png"),
    "one folder of images": ("images/{}.png", "images/{}_mask.png"),
    "volumes": ("img/img000{}.nii.gz", "label/label000{}.nii.gz"),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_image_gets_its_own_mask(tmp_path: Path, layout: str) -> None:
    image, mask = LAYOUTS[layout]
    write_files(tmp_path, *(name.format(k) for name in (image, mask) for k in (1, 2)))
    cases = read_cases(tmp_path).cases
    assert len(cases) == 2
    for k, case in enumerate(cases, 1):
        assert case.image == tmp_path / image.format(k)
        assert case.label == tmp_path / mask.format(k)


def test_radiographs_in_dicom_may_have_pictures_as_masks(tmp_path: Path) -> None:
    image = np.zeros((1, SIZE, SIZE), np.uint16)
    write_dicom_picture(tmp_path / "CR/a.dcm", "CR", image, "MONOCHROME1")
    write_files(tmp_path, "CR masks/a_mask.png", "CR/screenshot.png")
    (case,) = read_cases(tmp_path).cases
    assert (case.image.name, case.labels[0].name) == ("a.dcm", "a_mask.png")


def test_what_was_paired_is_said(tmp_path: Path) -> None:
    write_files(tmp_path, "a.jpg", "a_mask.png")
    assert read_cases(tmp_path).notes == (
        "images were paired with masks by their names, such as a.jpg with a_mask.png",
    )


def test_masks_of_other_folders_are_found_with_the_option_labels(tmp_path: Path) -> None:
    write_files(tmp_path, "photos/a.jpg", "photos/b.jpg", "drawn/a_outline.png")
    a, b = read_pair_folders(tmp_path / "photos", tmp_path / "drawn").cases
    assert a.label == tmp_path / "drawn/a_outline.png"
    assert b.role is Role.UNLABELED


def test_the_same_number_in_another_video_is_another_image(tmp_path: Path) -> None:
    write_files(tmp_path, "video1/images/1.png", "video2/images/1.png", "video1/labels/1.png")
    first, second = read_cases(tmp_path).cases
    assert (first.name, first.is_labeled) == ("video1_1", True)
    assert (second.name, second.is_labeled) == ("video2_1", False)


def test_a_mask_without_an_image_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, "benign/1.png", "benign/1_mask.png", "malignant/2.png")
    write_files(tmp_path, "benign/2_mask.png")
    with pytest.raises(GenSegError, match=r"benign/2_mask\.png: none or several images have this"):
        read_cases(tmp_path)


def test_a_further_number_beside_the_image_s_own_mask_is_another_image(tmp_path: Path) -> None:
    """Such as the second visit of a patient, whose image is missing."""
    write_files(tmp_path, "images/p1.png", "masks/p1.png", "masks/p1_2.png")
    with pytest.raises(GenSegError, match=r"p1_2\.png: no image of the same name"):
        read_cases(tmp_path)


def test_the_number_of_a_lesion_is_not_that_of_an_image(tmp_path: Path) -> None:
    masks = [f"{image}_mask_{lesion}.png" for image in (1, 2, 3) for lesion in (1, 2)]
    folder = write_files(tmp_path, "1.jpg", "2.jpg", *masks)
    with pytest.raises(GenSegError, match=r"3_mask_1.png \(and 1 more\)"):
        read_cases(folder)


def test_the_masks_of_one_missing_image_are_those_of_no_other(tmp_path: Path) -> None:
    masks = ["masks/3_mask_1.png", "masks/3_mask_2.png"]
    with pytest.raises(GenSegError, match=r"no cases found|no image"):
        read_cases(write_files(tmp_path, "images/1.png", "images/2.png", *masks))


def test_a_structure_may_be_named_beside_the_word_image(tmp_path: Path) -> None:
    names = [f"p{k}/image{end}.png" for k in (1, 2) for end in ("", "_lesion")]
    cases = read_cases(write_files(tmp_path, *names)).cases
    assert [case.label.name for case in cases if case.label] == ["image_lesion.png"] * 2


def test_the_masks_without_an_image_are_named(tmp_path: Path) -> None:
    masks = [f"masks/p{image}_{lesion}.png" for image in (1, 2, 3) for lesion in (1, 2)]
    folder = write_files(tmp_path, "images/p1.png", "images/p2.png", *masks)
    with pytest.raises(GenSegError, match=r"p3_1.png \(and 1 more\)"):
        read_cases(folder)


@pytest.mark.parametrize("mask", ["polyp_{}_mask.png", "polyp_{}.png"])
def test_images_may_be_called_after_what_they_show(tmp_path: Path, mask: str) -> None:
    names = [name.format(k) for k in (1, 2) for name in ("polyp_{}.jpg", mask)]
    cases = read_cases(write_files(tmp_path, *names)).cases
    found = {case.image.name: case.label.name for case in cases if case.label}
    assert found == {f"polyp_{k}.jpg": mask.format(k) for k in (1, 2)}


def test_photos_named_after_lesions_are_no_masks(tmp_path: Path) -> None:
    write_files(tmp_path, "skin_lesion.jpg", "b.jpg", "b_mask.png")
    cases = {case.name: case for case in read_cases(tmp_path).cases}
    assert cases["skin_lesion"].role is Role.UNLABELED
    assert cases["b"].is_labeled


def test_a_folder_without_masks_is_refused_in_one_line(tmp_path: Path) -> None:
    write_files(tmp_path, "photos/a.jpg", "photos/b.jpg")
    with pytest.raises(GenSegError, match=r"no cases found \(no image has a mask\); give"):
        read_cases(tmp_path)


def test_test_images_are_left_out_and_validation_images_are_for_validation(
    tmp_path: Path,
) -> None:
    for part in ("train", "validation", "test"):
        write_files(tmp_path / part, "images/1.png", "labels/1.png")
    cases = read_cases(tmp_path)
    assert [(c.name, c.role) for c in cases.cases] == [
        ("train_1", Role.TRAIN),
        ("validation_1", Role.VALIDATE),
    ]
    assert cases.notes[0] == "files in folders named test were skipped (2)"


def test_fields_of_view_and_second_annotators_are_not_used(tmp_path: Path) -> None:
    """As in sets of fundus photos: DRIVE, HRF and CHASE."""
    write_files(tmp_path / "a", "images/1_dr.jpg", "manual1/1_dr.tif", "mask/1_dr_mask.tif")
    (case,) = read_cases(tmp_path / "a").cases
    assert case.labels == (tmp_path / "a/manual1/1_dr.tif",)
    write_files(tmp_path / "b", "Image_01L.jpg", "Image_01L_1stHO.png", "Image_01L_2ndHO.png")
    cases = read_cases(tmp_path / "b")
    assert [path.name for path in cases.cases[0].labels] == ["Image_01L_1stHO.png"]
    assert "of several annotators, 1 st HO is used and 2 nd HO is not" in cases.notes


def lesions(folder: Path) -> CaseSet:
    """An image with two masks, of a lesion each."""
    write_photo(folder / "images/1.png", 1)
    write_mask(folder / "masks/1_1.png", 1, 4)
    write_mask(folder / "masks/1_2.png", 8, 12)
    return read_cases(folder)


def lungs(folder: Path) -> CaseSet:
    """Two X-rays with masks of the left and the right lung."""
    for name in ("a", "b"):
        write_photo(folder / f"CXR_png/{name}.png", ord(name))
        write_mask(folder / f"ManualMask/leftMask/{name}.png", 1, 4)
        write_mask(folder / f"ManualMask/rightMask/{name}.png", 3, 12)
    return read_cases(folder)


def test_one_mask_for_each_lesion_is_one_label(tmp_path: Path) -> None:
    cases = lesions(tmp_path)
    (check,) = check_cases(cases)
    assert check.voxels == {1: 4 * (3 + 4)}
    assert "several masks of one image are merged into one label, such as the 2 of 1" in cases.notes


def test_masks_of_different_structures_are_classes(tmp_path: Path) -> None:
    cases = lungs(tmp_path)
    assert cases.labels == {1: "Left", 2: "Right"}
    first, _ = check_cases(cases)
    assert first.voxels == {1: 4 * 2, 2: 4 * 9}
    assert first.warnings == ("4 voxels of other classes are overwritten by a.png",)


def test_parts_are_learned_together_where_the_preset_has_one_class(tmp_path: Path) -> None:
    cases, preset = with_classes(lungs(tmp_path), load_preset("chest-xray-lungs"))
    assert preset is not None and cases.labels == {1: "Lungs"}
    assert cases.notes[-1] == (
        "Left and Right are learned together as Lungs, the class of chest-xray-lungs"
    )
    assert check_cases(cases)[0].voxels == {1: 4 * 11}


def test_labels_in_several_files_may_be_listed(tmp_path: Path) -> None:
    lungs(tmp_path)
    masks = {side: f"ManualMask/{side}Mask/a.png" for side in ("left", "right")}
    write_json(
        tmp_path / "cases.json",
        {
            "cases": [
                {"name": "sides", "image": "CXR_png/a.png", "label": masks},
                {"name": "both", "image": "CXR_png/b.png", "label": list(masks.values())},
            ]
        },
    )
    cases = read_cases(tmp_path)
    assert cases.labels == {1: "left", 2: "right"}
    assert CaseSet.from_json(cases.to_json(), tmp_path) == cases
    sides, both = (read_case_label(case, classes=cases.labels).array for case in cases.cases)
    assert [np.count_nonzero(sides == value) for value in (1, 2)] == [8, 36]
    assert np.count_nonzero(both == 1) == 44


def test_a_class_without_any_pixel_may_be_left_out(tmp_path: Path) -> None:
    """As a training does with classes that no case has."""
    (case, _) = lungs(tmp_path).cases
    write_mask(case.labels[1], 0, 0)
    assert np.count_nonzero(read_case_label(case, classes={1: "Left"}).array == 1) == 4 * 3


def test_the_class_of_a_file_must_be_known(tmp_path: Path) -> None:
    (case, _) = lungs(tmp_path).cases
    with pytest.raises(GenSegError, match="its class Left is not among the classes"):
        read_case_label(case, classes={1: "Lungs"})


def test_thousands_of_images_are_paired_in_seconds() -> None:
    images = [Name.of(("Input",), f"ISIC_{k:07d}") for k in range(5000)]
    masks = [Name.of(("GroundTruth",), f"ISIC_{k:07d}_segmentation") for k in range(5000)]
    start = time.process_time()
    assert match_masks(images, masks) == {k: k for k in range(5000)}
    assert time.process_time() - start < 5
