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

  const imageOf = sop => {
    const source = window.extensionManager.getDataSources()[0];
    return window.services.displaySetService
      .getActiveDisplaySets()
      .filter(one => one.instances?.some(instance => instance.SOPInstanceUID === sop))
      .flatMap(one => source.getImageIdsForDisplaySet(one))
      .find(imageId => imageId.includes(`/instances/${sop}/`));
  };

  // OHIF 3.13.2 steps along a row by the distance of the rows and the other way round, so that regions on
  // pixels that are not square lie elsewhere. Coordinates stretched the other way come out right.
  const straighten = (coords, plane) => {
    const ratio = plane.columnPixelSpacing / plane.rowPixelSpacing;
    if (ratio > 0 && ratio !== 1) {
      const factors = [ratio, 1 / ratio];
      coords.GraphicData = Array.from(
        coords.GraphicData,
        (value, index) => 0.5 + (value - 0.5) * factors[index % 2]
      );
    }
  };

  // Words of regions that overlap are put below each other, on the side where there is room for them.
  const characterWidth = 0.0125; // of an image that fills the viewport
  const stacks = new Map();
  const place = (measurement, sop, imageId, plane) => {
    const points = Array.from(measurement.coords[0].GraphicData);
    const [xs, ys] = [0, 1].map(axis => points.filter((_, index) => index % 2 === axis));
    const [left, right] = [Math.min(...xs), Math.max(...xs)];
    const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
    const of = `${measurement.series}:${sop}`;
    stacks.set(of, stacks.get(of) || []);
    let stack = stacks
      .get(of)
      .find(one => left < one.right && right > one.left && top < one.bottom && bottom > one.top);
    if (!stack) {
      stack = { left, right, top, bottom, lines: 0 };
      stacks.get(of).push(stack);
    }
    stack.lines += measurement.labels.length;
    const length = Math.max(...measurement.labels.map(one => `${one.label}: ${one.value}`.length));
    const gap = 0.03 * plane.columns;
    const width = characterWidth * length * plane.columns;
    const onTheLeft = stack.right + gap + width > plane.columns && stack.left > gap + width;
    const x = onTheLeft ? stack.left - gap - width : stack.right + gap;
    const at = [x, stack.bottom - 0.026 * plane.rows * stack.lines];
    measurement.textBox = { worldPosition: window.cornerstone.utilities.imageToWorldCoords(imageId, at) };
  };

  const locate = measurement => {
    const sop = measurement.coords[0].ReferencedSOPSequence?.ReferencedSOPInstanceUID;
    const imageId = measurement.coords[0].ValueType === 'SCOORD' && sop && imageOf(sop);
    const plane = imageId && window.cornerstone.metaData.get('imagePlaneModule', imageId);
    if (plane) {
      measurement.coords.forEach(one => straighten(one, plane));
      place(measurement, sop, imageId, plane);
      measurement.located = true;
    }
  };

  const prepare = ({ measurement, SeriesInstanceUID }) => {
    if (!measurement.series) {
      measurement.series = SeriesInstanceUID;
      describe(measurement);
      if (!measurement.coords.length) {
        setAside(measurement, SeriesInstanceUID);
      }
    }
    if (!measurement.located) {
      locate(measurement);
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
