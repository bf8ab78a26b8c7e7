-- Batch upsert of a hundred: half of them new, half of them seen in the batch before.
local entity = dofile(os.getenv("LUA") .. "/entity.lua")
local header = {["Content-Type"] = "application/json"}
local before = {}
request = function()
  local all = {}
  for i = 1, 50 do all[i] = entity() end
  for i = 51, 100 do all[i] = before[i - 50] or entity() end
  before = all
  return wrk.format("POST", "/ngsi-ld/v1/entityOperations/upsert", header, "[" .. table.concat(all, ",") .. "]")
end
