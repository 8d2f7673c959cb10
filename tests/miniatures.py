"""Every data set in miniature: the published folders, names and columns, with tiny real pictures.

A builder writes below `root` and returns it. Pictures differ from each other, so that none passes for a duplicate.
"""

import csv
import io
import itertools

import h5py
import numpy as np
from PIL import Image

_shades = itertools.count(1)


def picture(path, *, shade=None):
    """A picture of 8 x 6 pixels in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(next(_shades) if shade is None else shade).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def pictures(folder, names):
    for name in names:
        picture(folder / name)


def table(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header.split(",") if isinstance(header, str) else header, *rows])
    return path


HAM_HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization"
HAM_ROWS = [
    ["HAM_0000001", "ISIC_0000001", "mel", "histo", "60.0", "male", "back"],
    ["HAM_0000001", "ISIC_0000002", "mel", "histo", "60.0", "male", "back"],
    ["HAM_0000002", "ISIC_0000003", "nv", "follow_up", "", "unknown", "unknown"],
    ["HAM_0000003", "ISIC_0000004", "akiec", "histo", "85.0", "female", "face"],
]
CENTRES = ["vidir_modern", "vidir_modern", "vidir_molemax", "rosendahl"]


def ham10000(root, *, rows=HAM_ROWS, header=HAM_HEADER):
    """The copy on Kaggle, less the second spelling of its folders."""
    table(root / "HAM10000_metadata.csv", header, rows)
    ids = list(dict.fromkeys(row[1] for row in rows))
    pictures(root / "HAM10000_images_part_1", [f"{name}.jpg" for name in ids[:2]])
    pictures(root / "HAM10000_images_part_2", [f"{name}.jpg" for name in ids[2:]])
    table(root / "hmnist_8_8_L.csv", "pixel0000,label", [["169", "2"]])
    return root


def ham10000_dataverse(root):
    """The original: no suffix, an eighth column, masks and the test part of ISIC 2018 beside it."""
    rows = [[*row, centre] for row, centre in zip(HAM_ROWS, CENTRES, strict=True)]
    table(root / "HAM10000_metadata", f"{HAM_HEADER},dataset", rows)
    pictures(root / "HAM10000_images_part_1", ["ISIC_0000001.jpg", "ISIC_0000002.jpg"])
    pictures(root / "HAM10000_images_part_2", ["ISIC_0000003.jpg", "ISIC_0000004.jpg"])
    pictures(root / "HAM10000_segmentations_lesion_tschandl", [f"{row[1]}_segmentation.png" for row in HAM_ROWS])
    pictures(root / "ISIC2018_Task3_Test_Images", ["ISIC_0034524.jpg"])
    return root


CLASSES_2018 = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"]
CLASSES_2019 = ["MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"]


def one_hot(image_id, dx, classes, one="1.0", zero="0.0"):
    return [image_id, *(one if name == dx else zero for name in classes)]


def isic2018_part(root, part, labels):
    rows = [one_hot(image_id, dx, CLASSES_2018) for image_id, dx in labels.items()]
    truth = f"ISIC2018_Task3_{part}_GroundTruth"
    table(root / truth / f"{truth}.csv", ["image", *CLASSES_2018], rows)
    pictures(root / f"ISIC2018_Task3_{part}_Input", [f"{image_id}.jpg" for image_id in labels])


def isic2018(root):
    """All three parts, the table of each in a folder of its own as unpacked."""
    isic2018_part(root, "Training", {"ISIC_0024306": "NV", "ISIC_0024307": "MEL", "ISIC_0024308": "AKIEC"})
    isic2018_part(root, "Validation", {"ISIC_0034321": "BKL"})
    isic2018_part(root, "Test", {"ISIC_0034524": "VASC", "ISIC_0034525": "DF"})
    rows = [
        ["ISIC_0024306", "HAM_0000550", "serial imaging showing no change"],
        ["ISIC_0024307", "HAM_0003577", "histopathology"],
        ["ISIC_0024308", "HAM_0003577", "histopathology"],
    ]
    table(root / "ISIC2018_Task3_Training_LesionGroupings.csv", "image,lesion_id,diagnosis_confirm_type", rows)
    return root


ROWS_2019 = [
    ["ISIC_0000000", "NV", "55", "anterior torso", "", "female"],
    ["ISIC_0000002_downsampled", "MEL", "60", "upper extremity", "MSK4_0011169", "male"],
    ["ISIC_0024306", "AK", "45", "", "HAM_0000550", ""],
    ["ISIC_0053453", "SCC", "", "oral/genital", "BCN_0003863", "female"],
]


def isic2019(root, *, rows=ROWS_2019):
    truth = [one_hot(row[0], row[1], CLASSES_2019) for row in rows]
    table(root / "ISIC_2019_Training_GroundTruth.csv", ["image", *CLASSES_2019], truth)
    header = "image,age_approx,anatom_site_general,lesion_id,sex"
    table(root / "ISIC_2019_Training_Metadata.csv", header, [[row[0], *row[2:]] for row in rows])
    pictures(root / "ISIC_2019_Training_Input", [f"{row[0]}.jpg" for row in rows])
    return root


def isic2019_test(root):
    """The test part: two weights more in its ground truth, no lesions in its metadata."""
    header = ["image", *CLASSES_2019, "score_weight", "validation_weight"]
    rows = [[*one_hot("ISIC_0034321", "UNK", CLASSES_2019), "1.0", "0.0"]]
    table(root / "ISIC_2019_Test_GroundTruth.csv", header, rows)
    header = "image,age_approx,anatom_site_general,sex"
    table(root / "ISIC_2019_Test_Metadata.csv", header, [["ISIC_0034321", "40", "lower extremity", "male"]])
    pictures(root / "ISIC_2019_Test_Input", ["ISIC_0034321.jpg"])
    return root


HEADER_2020 = "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target"
ROWS_2020 = [
    ["ISIC_2637011", "IP_7279968", "male", "45.0", "head/neck", "unknown", "benign", "0"],
    ["ISIC_0015719", "IP_3075186", "female", "45.0", "upper extremity", "melanoma", "malignant", "1"],
    ["ISIC_0052212", "IP_2842074", "", "", "", "lentigo NOS", "benign", "0"],
    ["ISIC_0068279", "IP_6890425", "female", "50.0", "palms/soles", "nevus", "benign", "0"],
]


def isic2020(root, *, rows=ROWS_2020):
    """As Kaggle packs it."""
    table(root / "train.csv", HEADER_2020, rows)
    pictures(root / "jpeg" / "train", [f"{row[0]}.jpg" for row in rows])
    pictures(root / "jpeg" / "test", ["ISIC_0052060.jpg"])
    return root


def isic2020_official(root):
    """As the ISIC site packs it: a lesion id, and the list of pictures that are there twice."""
    header = HEADER_2020.replace("patient_id,", "patient_id,lesion_id,")
    rows = [[*row[:2], f"IL_{number}", *row[2:]] for number, row in enumerate(ROWS_2020)]
    table(root / "ISIC_2020_Training_GroundTruth_v2.csv", header, rows)
    pairs = [["ISIC_2637011", "ISIC_0068279"]]
    table(root / "ISIC_2020_Training_Duplicates.csv", "image_name_1,image_name_2", pairs)
    pictures(root / "train", [f"{row[0]}.jpg" for row in ROWS_2020])
    return root


# In the order of train-metadata.csv
HEADER_2024 = (
    "isic_id,target,patient_id,age_approx,sex,anatom_site_general,clin_size_long_diam_mm,image_type,tbp_tile_type,"
    "tbp_lv_A,tbp_lv_Aext,tbp_lv_B,tbp_lv_Bext,tbp_lv_C,tbp_lv_Cext,tbp_lv_H,tbp_lv_Hext,tbp_lv_L,tbp_lv_Lext,"
    "tbp_lv_areaMM2,tbp_lv_area_perim_ratio,tbp_lv_color_std_mean,tbp_lv_deltaA,tbp_lv_deltaB,tbp_lv_deltaL,"
    "tbp_lv_deltaLB,tbp_lv_deltaLBnorm,tbp_lv_eccentricity,tbp_lv_location,tbp_lv_location_simple,tbp_lv_minorAxisMM,"
    "tbp_lv_nevi_confidence,tbp_lv_norm_border,tbp_lv_norm_color,tbp_lv_perimeterMM,tbp_lv_radial_color_std_max,"
    "tbp_lv_stdL,tbp_lv_stdLExt,tbp_lv_symm_2axis,tbp_lv_symm_2axis_angle,tbp_lv_x,tbp_lv_y,tbp_lv_z,attribution,"
    "copyright_license,lesion_id,iddx_full,iddx_1,iddx_2,iddx_3,iddx_4,iddx_5,mel_mitotic_index,mel_thick_mm,"
    "tbp_lv_dnn_lesion_confidence"
)
COLUMNS_2024 = HEADER_2024.split(",")
FOLLICULAR = "Malignant::Malignant adnexal epithelial proliferations - Follicular"
ROWS_2024 = {  # isic_id -> iddx_full
    "ISIC_0015670": "Benign",
    "ISIC_0015845": f"{FOLLICULAR}::Basal cell carcinoma::Basal cell carcinoma, Nodular",
    "ISIC_0015864": "Malignant::Malignant melanocytic proliferations (Melanoma)::Melanoma in situ",
    "ISIC_0015902": "Indeterminate::Indeterminate melanocytic proliferations::Atypical melanocytic neoplasm",
    "ISIC_0024200": "Indeterminate::Indeterminate epidermal proliferations::Solar or actinic keratosis",
    "ISIC_0035502": "Benign::Benign melanocytic proliferations::Nevus::Blue nevus::Blue nevus, Cellular",
}


def row_2024(number, isic_id, full):
    words = {"sex": "male", "anatom_site_general": "posterior torso", "image_type": "TBP tile: close-up"}
    words |= {"tbp_tile_type": "3D: XP", "tbp_lv_location": "Torso Back", "tbp_lv_location_simple": "Torso Back"}
    levels = dict(zip([f"iddx_{level}" for level in range(1, 6)], full.split("::"), strict=False))
    facts = {
        **dict.fromkeys(COLUMNS_2024, f"{number}.25"),
        **dict.fromkeys([f"iddx_{level}" for level in range(1, 6)], ""),
        **{"isic_id": isic_id, "target": str(int(full.startswith("Malignant"))), "patient_id": f"IP_{number // 2}"},
        **{"age_approx": "60.0", **words, "attribution": "ACEMID MIA", "copyright_license": "CC-0"},
        **{"lesion_id": "" if full == "Benign" else f"IL_{number}", "iddx_full": full, **levels},
        **{"mel_mitotic_index": "", "mel_thick_mm": ""},
    }
    return [facts[name] for name in COLUMNS_2024]


def isic2024(root, *, rows=ROWS_2024):
    """With the container; a key is the JPEG's bytes."""
    data = [row_2024(number, isic_id, full) for number, (isic_id, full) in enumerate(rows.items())]
    table(root / "train-metadata.csv", HEADER_2024, data)
    with h5py.File(root / "train-image.hdf5", "w") as file:
        for number, isic_id in enumerate(rows):
            stream = io.BytesIO()
            Image.new("RGB", (9, 9), (number, 20, 30)).save(stream, "JPEG")
            file.create_dataset(isic_id, data=np.void(stream.getvalue()))
    return root


CLASSES_9 = [
    *("actinic keratosis", "basal cell carcinoma", "dermatofibroma", "melanoma", "nevus"),
    *("pigmented benign keratosis", "seborrheic keratosis", "squamous cell carcinoma", "vascular lesion"),
]


def isic9(root):
    """With the long folder name, and one file in two class folders, as in the real set."""
    home = root / "Skin cancer ISIC The International Skin Imaging Collaboration"
    for part, (number, name) in itertools.product(["Train", "Test"], enumerate(CLASSES_9)):
        picture(home / part / name / f"ISIC_{part}_{number}.jpg")
    picture(home / "Train" / "melanoma" / "ISIC_0010491.jpg", shade=0)
    picture(home / "Train" / "seborrheic keratosis" / "ISIC_0010491.jpg", shade=0)
    return root


PH2_TEXT = """
||   Name || Histological Diagnosis || Clinical Diagnosis || Asymmetry | Pigment Network | Dots/Globules ||  Colors ||
|| IMD003 ||                        ||                  0 ||         0 |               T |             A ||       4 ||
|| IMD009 ||                        ||                  1 ||         1 |              AT |            AT ||    3  4 ||
|| IMD058 ||               Melanoma ||                  2 ||         2 |              AT |            AT || 1  4  5 ||
||        ||                        ||                    ||           |                 |               ||         ||

Legend:
    Clinical Diagnosis: 0 - Common Nevus; 1 - Atypical Nevus; 2 - Melanoma | A - Absent | T - Typical
"""


def ph2(root, *, text=PH2_TEXT):
    home = root / "PH2Dataset"
    home.mkdir(parents=True)
    (home / "PH2_dataset.txt").write_text(text, encoding="utf-8")
    (home / "PH2_dataset.xlsx").write_bytes(b"PK")
    for name in ("IMD003", "IMD009", "IMD058"):
        case = home / "PH2 Dataset images" / name
        picture(case / f"{name}_Dermoscopic_Image" / f"{name}.bmp")
        picture(case / f"{name}_lesion" / f"{name}_lesion.bmp")
        picture(case / f"{name}_roi" / f"{name}_R1_Label4.bmp")
    return root


PAD_HEADER = (
    "patient_id,lesion_id,smoke,drink,background_father,background_mother,age,pesticide,gender,skin_cancer_history,"
    "cancer_history,has_piped_water,has_sewage_system,fitspatrick,region,diameter_1,diameter_2,diagnostic,itch,grew,"
    "hurt,changed,bleed,elevation,img_id,biopsed"
)
_PAD_SURE = "True,True,True,True,3.0,NECK,6.0,5.0,BCC,True,True,False,True,True,True"
_PAD_UNSURE = ",,,,,FOREARM,,,NEV,UNK,False,UNK,UNK,False,False"
PAD_ROWS = [
    f"PAT_46,881,False,False,POMERANIA,POMERANIA,55,False,FEMALE,{_PAD_SURE},PAT_46_881_939.png,True".split(","),
    f"PAT_1545,881,,,,,77,,,{_PAD_UNSURE},PAT_1545_881_547.png,False".split(","),
    f"PAT_46,882,False,False,UNK,UNK,55,False,FEMALE,{_PAD_SURE},PAT_46_882_140.png,True".split(","),
]


def pad_ufes_20(root, *, rows=PAD_ROWS):
    """Parts nested twice, as their archives unpack."""
    table(root / "metadata.csv", PAD_HEADER, rows)
    for part, row in enumerate(rows, start=1):
        picture(root / "images" / f"imgs_part_{part}" / f"imgs_part_{part}" / row[-2])
    return root


def dermamnist(root, *, name="dermamnist.npz", **arrays):
    """Seven, two and two pictures; `arrays` replaces single arrays."""
    rng = np.random.default_rng(0)
    root.mkdir(parents=True, exist_ok=True)
    content = {}
    for part, count in (("train", 7), ("val", 2), ("test", 2)):
        content[f"{part}_images"] = rng.integers(0, 256, (count, 28, 28, 3), np.uint8)
        content[f"{part}_labels"] = np.arange(count, dtype=np.uint8).reshape(-1, 1)
    content.update(arrays)
    np.savez_compressed(root / name, **{key: value for key, value in content.items() if value is not None})
    return root


def synth(root, *, header="", rows=((), ())):
    columns = "lesion_id,image_id,dx,dx_type,age,sex,localization,dataset,patient_id,view,z,ita" + header
    first = [
        "SYNL_1",
        "SYN_0000001",
        "mel",
        "synthetic",
        "70",
        "male",
        "back",
        "centre_a",
        "SYNP_1",
        "0",
        "1.2",
        "48.5",
    ]
    other = ["SYNL_2", "SYN_0000002", "nv", "synthetic", "", "female", "foot", "centre_b", "SYNP_1", "0", "-1", "-40.0"]
    table(root / "SYN_metadata.csv", columns, [[*first, *rows[0]], [*other, *rows[1]]])
    pictures(root / "SYN_images", ["SYN_0000001.jpg", "SYN_0000002.jpg"])
    (root / "synth.json").write_text('{"published_counts": {"mel": 1, "nv": 1}}')
    return root


def folder(root):
    pictures(root / "melanoma", ["1.jpg", "deep/er/2.PNG"])
    pictures(root / "Seborrheic_Keratosis", ["1.jpg", "3.bmp"])
    pictures(root / "NV", ["1.jpeg"])
    return root
