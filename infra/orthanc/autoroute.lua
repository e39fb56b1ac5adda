-- Sends every stable study to SecondRead, except the series that SecondRead made: a result that comes back makes
-- its study stable again, and without this guard the study would be routed for ever. SecondRead recognises its own
-- objects as well, so this saves traffic and is not the only line of defence.

local settings = GetOrthancConfiguration()['SecondRead']

function OnStableStudy(studyId, tags, metadata)
  local series = ParseJson(RestApiGet('/studies/' .. studyId .. '/series'))
  local wanted = {}
  for _, one in ipairs(series) do
    local isResult = one['MainDicomTags']['Manufacturer'] == settings['Manufacturer']
    if settings['RouteResults'] or not isResult then
      table.insert(wanted, one['ID'])
    end
  end
  if #wanted > 0 then
    -- One job, one association; a failed job stays visible in Orthanc's list of jobs and can be sent again there.
    local job = { Resources = wanted, Asynchronous = true }
    RestApiPost('/modalities/' .. settings['Modality'] .. '/store', DumpJson(job, true))
  end
end
