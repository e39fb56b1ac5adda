// Settings of the OHIF viewer as SecondRead serves it: one archive, on the origin of this page.
(() => {
  const dicomweb = `${window.location.origin}/dicom-web`;
  const notice = 'SecondRead viewer, for research use only, not for diagnosis';
  document.title = notice;

  const asArray = value => (value ? [].concat(value) : []);

  // What OHIF hands on is rounded already, and 0 is missing: the report itself has the numbers.
  const groupOf = (item, uid) => {
    const parts = asArray(item.ContentSequence);
    return parts.some(one => one.ValueType === 'UIDREF' && one.UID === uid)
      ? parts
      : parts.map(one => groupOf(one, uid)).find(one => one);
  };
  const exact = (label, group) => {
    for (const item of group) {
      const [name] = asArray(item.ConceptNameCodeSequence);
      const [measured] = asArray(item.MeasuredValueSequence);
      const number = Number(measured?.NumericValue ?? NaN);
      const written = `${number ? number.toFixed(2) : ''} `;
      if (name?.CodeMeaning === label.label && number === number && label.value.startsWith(written)) {
        return { ...label, value: `${number} ${label.value.slice(written.length)}` };
      }
    }
    return label;
  };

  // Beside a region OHIF writes the first five numbers of its group. What is wanted there is what was found and
  // how sure that is, below it how large; the rest stays in the report.
  const sized = / (mm|cm|mm2|cm2|ml|cm3|mm3)$/;
  const short = { Height: 'H', Width: 'W' };
  const rounded = value => {
    const [number, ...unit] = value.split(' ');
    const digits = unit[0] === '%' ? 0 : 1;
    return number ? [Number(number).toFixed(digits), ...unit].join(' ') : value;
  };
  const describe = (measurement, report) => {
    const group = groupOf(report?.instance || {}, measurement.TrackingUniqueIdentifier) || [];
    const labels = measurement.labels.map(one => exact(one, group));
    const sizes = labels.filter(one => sized.test(one.value));
    const first = labels.find(one => one.value.endsWith(' %')) || sizes.shift() || { value: '' };
    measurement.labels = [
      { label: measurement.TrackingIdentifier || 'Finding', value: rounded(first.value) },
    ];
    const units = new Set(sizes.map(one => one.value.split(' ')[1]));
    if (units.size === 1) {
      const numbers = sizes.map(one => rounded(one.value).split(' ')[0]);
      measurement.labels.push({
        label: sizes.map(one => short[one.label] || one.label).join(' × '),
        value: `${numbers.join(' × ')} ${[...units][0]}`,
      });
    } else {
      measurement.labels.push(...sizes.map(one => ({ label: one.label, value: rounded(one.value) })));
    }
  };

  // OHIF takes for granted that every group has coordinates and stops at one of a volume or of a whole image:
  // these have their segmentation, and nothing to draw.
  const setAside = (measurement, report) => {
    measurement.coords = [{}];
    if (report) {
      report.measurements = report.measurements.filter(other => other !== measurement);
    }
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

  const locate = measurement => {
    const sop = measurement.coords[0].ReferencedSOPSequence?.ReferencedSOPInstanceUID;
    const imageId = measurement.coords[0].ValueType === 'SCOORD' && sop && imageOf(sop);
    const plane = imageId && window.cornerstone.metaData.get('imagePlaneModule', imageId);
    if (plane) {
      measurement.coords.forEach(one => straighten(one, plane));
      measurement.located = true;
    }
  };

  const prepare = ({ measurement, SeriesInstanceUID }) => {
    if (!measurement.prepared) {
      measurement.prepared = true;
      const report = window.services.displaySetService
        .getDisplaySetsForSeries(SeriesInstanceUID)
        .find(one => one.measurements?.includes(measurement));
      if (report) {
        // Or OHIF would try to turn the regions into measurements to edit, and fail.
        report.isHydrated = true;
      }
      describe(measurement, report);
      if (!measurement.coords.length) {
        setAside(measurement, report);
      }
    }
    if (!measurement.located) {
      locate(measurement);
    }
    return measurement;
  };

  // Why OHIF cannot open a display set, where it would show a black pane or a black page.
  const holds = uids =>
    window.services.displaySetService
      .getActiveDisplaySets()
      .some(one => one.Modality !== 'SR' && one.instances?.some(image => uids.has(image.SOPInstanceUID)));
  const regionsOf = item => [
    ...(item.ValueType === 'SCOORD'
      ? asArray(item.ContentSequence)
          .flatMap(one => asArray(one.ReferencedSOPSequence))
          .map(one => one.ReferencedSOPInstanceUID)
      : []),
    ...asArray(item.ContentSequence).flatMap(regionsOf),
  ];
  const isFlat = found =>
    found.Modality === 'SEG' &&
    !asArray(found.instance?.SharedFunctionalGroupsSequence)[0]?.PixelMeasuresSequence;
  const absent =
    'The archive does not hold the images that this result was made of. They have to be stored beside it.';
  const obstacle = found => {
    if (isFlat(found)) {
      return (
        'This viewer cannot show a segmentation without a place in space, such as that of a film. ' +
        'The report and the key images show its findings.'
      );
    }
    if (found?.unsupported) {
      return 'This viewer cannot show objects of this kind.';
    }
    if (found?.Modality === 'SEG' && !found.referencedDisplaySetInstanceUID) {
      return absent;
    }
    if (found?.isImagingMeasurementReport) {
      const volume = found.measurements?.some(one => one.is3DMeasurement);
      const uids = new Set(regionsOf(found.instance));
      if (!uids.size && !volume) {
        return 'This report marks no region of an image: there is nothing to draw. Its words are not shown here.';
      }
      return volume || holds(uids) ? null : absent;
    }
    return null;
  };
  const guard = ({ hangingProtocolService, displaySetService, uiNotificationService }) => {
    const original = hangingProtocolService.getViewportsRequireUpdate;
    hangingProtocolService.getViewportsRequireUpdate = function (viewportId, uid, ...more) {
      const message = obstacle(displaySetService.getDisplaySetByUID(uid) || {});
      if (message) {
        uiNotificationService.show({ title: 'Not shown', message, type: 'warning', duration: 15000 });
        throw new Error(message);
      }
      return original.call(this, viewportId, uid, ...more);
    };
    const mark = found => {
      found.filter(isFlat).forEach(one => {
        one.unsupported = true;
      });
    };
    mark(displaySetService.getActiveDisplaySets());
    displaySetService.subscribe(displaySetService.EVENTS.DISPLAY_SETS_ADDED, added =>
      mark(added.displaySetsAdded)
    );
  };

  // OHIF draws one region of a report in another colour, which here would mean nothing.
  const colour = 'rgb(255, 255, 0)';
  const paint = ({ style }) => {
    const styles = style.getToolGroupToolStyles('SRToolGroup');
    if (styles && styles.DICOMSRDisplay?.color !== colour) {
      const one = { ...styles.DICOMSRDisplay, color: colour };
      style.setToolGroupToolStyles('SRToolGroup', { ...styles, DICOMSRDisplay: one });
    }
  };

  // Words stand beside their region where they cover neither another region nor other words, as far as there
  // is such a place. Words of regions that overlap are put below each other.
  const [font, lineHeight, padding] = ['15px Helvetica Neue, Helvetica, Arial, sans-serif', 18, 25];
  const pen = document.createElement('canvas').getContext('2d');
  pen.font = font;
  const common = (a, b) =>
    Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
    Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  const around = (all, one) => ({
    left: Math.min(all.left, one.left),
    top: Math.min(all.top, one.top),
    right: Math.max(all.right, one.right),
    bottom: Math.max(all.bottom, one.bottom),
  });
  const extentOf = (annotation, viewport) =>
    Object.values(annotation.data.renderableData)
      .flat(2)
      .map(point => viewport.worldToCanvas(point))
      .map(([x, y]) => ({ left: x, top: y, right: x, bottom: y }))
      .reduce(around);
  const placesFor = (box, width, height) =>
    [10, 50, 100, 160].flatMap(gap => {
      const rows = [(box.top + box.bottom - height) / 2, box.top, box.bottom - height];
      const columns = [(box.left + box.right - width) / 2, box.left, box.right - width];
      return [
        ...rows.flatMap(top => [box.right + gap, box.left - gap - width].map(left => ({ left, top, gap }))),
        ...columns.flatMap(left => [box.bottom + gap, box.top - gap - height].map(top => ({ left, top, gap }))),
      ].map(at => ({ ...at, right: at.left + width, bottom: at.top + height }));
    });
  const layOut = (annotations, viewport) => {
    const groups = [];
    annotations.forEach(annotation => {
      const joined = { box: extentOf(annotation, viewport), annotations: [annotation] };
      for (const other of groups.filter(one => common(one.box, joined.box))) {
        joined.box = around(joined.box, other.box);
        joined.annotations.unshift(...other.annotations);
        groups.splice(groups.indexOf(other), 1);
      }
      groups.push(joined);
    });
    const { clientWidth, clientHeight } = viewport.element;
    const screen = { left: 0, top: 0, right: clientWidth, bottom: clientHeight };
    const taken = groups.map(one => one.box);
    groups.forEach(({ box, annotations: members }) => {
      const words = members.map(one => one.data.labels.map(line => `${line.label}: ${line.value}`));
      const width = Math.max(...words.flat().map(line => pen.measureText(line).width)) * 1.05 + 10;
      const height = words.flat().length * lineHeight + 8;
      const cost = at =>
        100 * taken.reduce((sum, one) => sum + common(at, one), width * height - common(at, screen)) + at.gap;
      const [best] = placesFor(box, width, height).sort((a, b) => cost(a) - cost(b));
      taken.push(best);
      let { top } = best;
      members.forEach((one, index) => {
        const corner = [best.left - padding, top - padding];
        one.data.handles.textBox.worldPosition = viewport.canvasToWorld(corner);
        top += words[index].length * lineHeight;
      });
    });
  };

  // OHIF draws the regions of a report only if it knows which report a pane shows before the image is drawn,
  // and does not wait for that: every third time there was a film without its findings. So what is missing is
  // drawn again until it is there, and where that does not help it is said in so many words.
  const patience = 6000; // milliseconds
  const incomplete =
    'The findings of this report are NOT all shown. Reload the page, or use another viewer.';
  const warn = message => {
    const shown = document.getElementById('secondread-warning');
    if (shown?.textContent === message) {
      return;
    }
    shown?.remove();
    if (message) {
      const banner = document.createElement('div');
      banner.id = 'secondread-warning';
      banner.setAttribute('role', 'alert');
      banner.textContent = message;
      banner.style.cssText =
        'position:fixed;top:60px;left:50%;transform:translateX(-50%);z-index:1000;padding:10px 16px;' +
        'max-width:80vw;background:#b91c1c;color:#fff;font-size:16px;border-radius:4px';
      document.body.append(banner);
    }
  };
  const since = new Map();
  const laidOut = new Map();
  const tend = ({ viewportGridService, displaySetService, cornerstoneViewportService }) => {
    let trouble = null;
    for (const [id, { displaySetInstanceUIDs }] of viewportGridService.getState().viewports) {
      const opened = (displaySetInstanceUIDs || [])
        .map(uid => displaySetService.getDisplaySetByUID(uid))
        .filter(one => one);
      trouble = opened.map(obstacle).find(one => one) || trouble;
      const report = opened.find(one => one.isImagingMeasurementReport);
      if (!report) {
        since.delete(id);
        laidOut.delete(id);
        continue;
      }
      const viewport = cornerstoneViewportService.getCornerstoneViewport(id);
      const imageId = viewport?.getCurrentImageId?.();
      const uids = new Set(report.measurements?.map(one => one.TrackingUniqueIdentifier));
      const here = window.cornerstoneTools.annotation.state
        .getAllAnnotations()
        .filter(one => one.metadata.toolName === 'DICOMSRDisplay' && uids.has(one.annotationUID))
        .filter(one => imageId && one.metadata.referencedImageId === imageId);
      const drawn = one =>
        one.metadata.graphicType === 'MULTIPOINT' ||
        viewport.element.querySelector(`svg.svg-layer g[data-annotation-uid="${one.annotationUID}"]`);
      const complete = imageId && report.isLoaded && here.every(drawn);
      if (complete) {
        since.delete(id);
      } else {
        since.set(id, since.get(id) || Date.now());
        if (Date.now() - since.get(id) > patience) {
          trouble = trouble || incomplete;
        }
      }
      if (here.length && viewport.getImageData?.()) {
        const { clientWidth, clientHeight } = viewport.element;
        const [origin, far] = [[0, 0], [100, 100]].map(at => viewport.canvasToWorld(at));
        const scale = far.map((value, axis) => (value - origin[axis]).toFixed(2));
        const state = [report.displaySetInstanceUID, imageId, clientWidth, clientHeight, ...scale].join();
        const moved = laidOut.get(id) !== state;
        if (moved) {
          layOut(here, viewport);
          laidOut.set(id, state);
        }
        if (moved || !complete) {
          window.cornerstoneTools.utilities.triggerAnnotationRenderForViewportIds([id]);
        }
      }
    }
    warn(trouble);
  };
  let guarded = false;
  window.setInterval(() => {
    const ready = window.services?.hangingProtocolService && window.cornerstoneTools;
    if (ready && !guarded) {
      guarded = true;
      guard(window.services);
    }
    if (ready && window.services.viewportGridService.serviceImplementation?._getState) {
      paint(window.cornerstoneTools.annotation.config);
      tend(window.services);
    }
  }, 150);

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
