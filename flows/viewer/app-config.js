// Settings of the OHIF viewer as SecondRead serves it: one archive, on the origin of this page.
(() => {
  const dicomweb = `${window.location.origin}/dicom-web`;
  const notice = 'SecondRead viewer, for research use only, not for diagnosis';
  document.title = notice;

  // Beside a region OHIF writes the first five numbers of its group. What is wanted there is what was found,
  // how sure that is and how large; the rest stays in the report.
  const sized = / (mm|cm|mm2|cm2|ml|cm3|mm3)$/;
  const rounded = value => {
    const digits = value.endsWith(' %') ? 0 : 1;
    const [number, ...unit] = value.split(' ');
    return number ? [Number(number).toFixed(digits), ...unit].join(' ') : value;
  };
  const describe = measurement => {
    const { labels } = measurement;
    const sizes = labels.filter(one => sized.test(one.value));
    const first = labels.find(one => one.value.endsWith(' %')) || sizes[0] || { value: '' };
    measurement.labels = [
      { label: measurement.TrackingIdentifier || 'Finding', value: rounded(first.value) },
      ...sizes
        .filter(one => one !== first)
        .map(one => ({ label: one.label, value: rounded(one.value) })),
    ];
  };

  // OHIF takes for granted that every group has coordinates and stops at one of a volume or of a whole image:
  // these have their segmentation, and nothing to draw.
  const setAside = (measurement, series) => {
    measurement.coords = [{}];
    window.services.displaySetService
      .getDisplaySetsForSeries(series)
      .filter(one => one.measurements)
      .forEach(one => {
        one.measurements = one.measurements.filter(other => other !== measurement);
      });
  };

  const prepare = ({ measurement, SeriesInstanceUID }) => {
    if (!measurement.preparedBySecondRead) {
      measurement.preparedBySecondRead = true;
      describe(measurement);
      if (!measurement.coords.length) {
        setAside(measurement, SeriesInstanceUID);
      }
    }
    return measurement;
  };

  window.config = {
    name: 'secondread',
    routerBasename: null,
    extensions: [],
    modes: [],
    showStudyList: true,
    showWarningMessageForCrossOrigin: false,
    showCPUFallbackMessage: true,
    showLoadingIndicator: true,
    strictZSpacingForVolumeViewport: true,
    groupEnabledModesFirst: true,
    maxNumberOfWebWorkers: 3,
    maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 10 },
    showErrorDetails: 'production',
    // Results are read-only here: nothing is tracked or edited, so nobody is asked to save it.
    disableConfirmationPrompts: true,
    measurementTrackingMode: 'none',
    // The words stand in the header for good, so no dialog has to be closed first.
    investigationalUseDialog: { option: 'never' },
    customizationService: [
      { onBeforeSRAddMeasurement: { $set: prepare } },
      { 'ohif.tours': { $set: [] } },
      { 'panelSegmentation.disableEditing': { $set: true } },
      { 'panelMeasurement.disableEditing': { $set: true } },
    ],
    whiteLabeling: {
      createLogoComponentFn: React =>
        React.createElement(
          'div',
          {
            id: 'secondread-label',
            style: { color: '#fff', fontSize: '15px', lineHeight: '18px', whiteSpace: 'nowrap' },
          },
          'SecondRead',
          React.createElement(
            'div',
            { style: { color: '#fbbf24', fontSize: '11px', lineHeight: '13px' } },
            'Research use only'
          )
        ),
    },
    defaultDataSourceName: 'archive',
    dataSources: [
      {
        namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
        sourceName: 'archive',
        configuration: {
          friendlyName: 'The archive',
          name: 'archive',
          qidoRoot: dicomweb,
          wadoRoot: dicomweb,
          wadoUriRoot: dicomweb,
          qidoSupportsIncludeField: true,
          supportsFuzzyMatching: false,
          supportsWildcard: true,
          supportsReject: false,
          supportsStow: false,
          dicomUploadEnabled: false,
          imageRendering: 'wadors',
          thumbnailRendering: 'wadors',
          enableStudyLazyLoad: true,
          omitQuotationForMultipartRequest: true,
          bulkDataURI: { enabled: true },
        },
      },
    ],
    httpErrorHandler: error => {
      console.warn(`The archive answered with status ${error.status}.`);
    },
  };
})();
