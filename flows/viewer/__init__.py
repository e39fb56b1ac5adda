"""A viewer in the browser: the OHIF site, fetched once, served beside an archive's DICOMweb on one origin."""
