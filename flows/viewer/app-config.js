// Settings of the OHIF viewer as SecondRead serves it: one archive, on the origin of this page.
(() => {
  const dicomweb = `${window.location.origin}/dicom-web`;
  const notice = 'SecondRead viewer, for research use only, not for diagnosis';
  document.title = notice;

  // Beside a region OHIF writes the first five numbers of its group. What is wanted there is what was found,
  // how sure that is and how large; the rest stays in the report.
  const sized = / (mm|cm|mm2|cm2|ml|cm3|mm3)$/;
  const describe = ({ measurement }) => {
    if (!measurement.describedBySecondRead) {
      const labels = measurement.labels;
      const sure = labels.find(one => one.value.endsWith(' %'));
      measurement.labels = [
        { label: measurement.TrackingIdentifier || 'Finding', value: sure ? sure.value : '' },
        ...labels.filter(one => sized.test(one.value)),
      ];
      measurement.describedBySecondRead = true;
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
      { onBeforeSRAddMeasurement: { $set: describe } },
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
