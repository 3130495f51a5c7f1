#include "task/celery_script.h"

const char CELERY_SCRIPT_TAKE[] =
    "redis.call('SET', KEYS[5], '1', 'PX', ARGV[6]) "
    "local out, left, room = {}, tonumber(ARGV[2]), tonumber(ARGV[4]) "
    "local function text(t, name) "
    "  local v = type(t) == 'table' and t[name] "
    "  return type(v) == 'string' and v or '' "
    "end "
    "for i = 6, #KEYS do "
    "  while left > 0 do "
    "    local m = redis.call('RPOP', KEYS[i]) "
    "    if not m then break end "
    "    local ok, e = pcall(cjson.decode, m) "
    "    local p = ok and type(e) == 'table' and e.properties "
    "    local tag = text(p, 'delivery_tag') "
    "    if tag == '' or #m > tonumber(ARGV[4]) then "
    "      redis.call('LPUSH', KEYS[4], m) "
    "      redis.call('LTRIM', KEYS[4], 0, tonumber(ARGV[5]) - 1) "
    "    elseif #m > room then "
    "      redis.call('RPUSH', KEYS[i], m) "
    "      left = 0 "
    "    else "
    "      local d = p.delivery_info "
    "      redis.call('HSET', KEYS[1], tag, '[' .. m .. ', ' .. cjson.encode(text(d, 'exchange')) "
    "        .. ', ' .. cjson.encode(text(d, 'routing_key')) .. ']') "
    "      redis.call('ZADD', KEYS[2], ARGV[1], tag) "
    "      redis.call('HSET', KEYS[3], tag, ARGV[3]) "
    "      out[#out + 1] = tag "
    "      out[#out + 1] = m "
    "      left = left - 1 "
    "      room = room - #m "
    "    end "
    "  end "
    "end "
    "return out";

#define FORGET                                                                                     \
    "redis.call('ZREM', KEYS[2], ARGV[1]) "                                                        \
    "redis.call('HDEL', KEYS[3], ARGV[1]) "

#define RESULT                                                                                     \
    "if ARGV[3] ~= '' then "                                                                       \
    "  redis.call('SETEX', KEYS[4], ARGV[2], ARGV[3]) "                                            \
    "  redis.call('PUBLISH', KEYS[4], ARGV[3]) "                                                   \
    "end "

const char CELERY_SCRIPT_FINISH[] =
    "local n = redis.call('HDEL', KEYS[1], ARGV[1]) " FORGET RESULT "return n";

const char CELERY_SCRIPT_LATER[] =
    "if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end "
    "redis.call('HSET', KEYS[1], ARGV[1], ARGV[4]) "
    "redis.call('ZADD', KEYS[2], ARGV[5], ARGV[1]) "
    "redis.call('HDEL', KEYS[3], ARGV[1]) " RESULT "return 1";

const char CELERY_SCRIPT_STORE[] = "redis.call('SETEX', KEYS[1], ARGV[1], ARGV[2]) "
                                   "redis.call('PUBLISH', KEYS[1], ARGV[2]) "
                                   "return 1";

const char CELERY_SCRIPT_LOST[] =
    "if not redis.call('SET', KEYS[4], ARGV[2], 'NX', 'PX', ARGV[3]) then return {} end "
    "local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[4]) "
    "local taken = redis.call('HGETALL', KEYS[3]) "
    "local tags, gone, kept = {}, {}, {} "
    "for i = 1, #taken, 2 do "
    "  local owner = taken[i + 1] "
    "  if gone[owner] == nil then gone[owner] = redis.call('EXISTS', ARGV[6] .. owner) == 0 end "
    "  if not gone[owner] then "
    "    kept[taken[i]] = true "
    "  elseif #tags < tonumber(ARGV[4]) then "
    "    tags[#tags + 1] = taken[i] "
    "  end "
    "end "
    "for _, tag in ipairs(old) do "
    "  if not kept[tag] then tags[#tags + 1] = tag end "
    "end "
    "local out, room = {}, tonumber(ARGV[5]) "
    "for _, tag in ipairs(tags) do "
    "  local entry = redis.call('HGET', KEYS[1], tag) "
    "  if not entry then "
    "    redis.call('ZREM', KEYS[2], tag) "
    "    redis.call('HDEL', KEYS[3], tag) "
    "  elseif #entry <= room or #out == 0 then "
    "    out[#out + 1] = tag "
    "    out[#out + 1] = entry "
    "    room = room - #entry "
    "  end "
    "end "
    "if #out == 0 then redis.call('DEL', KEYS[4]) end "
    "return out";

const char CELERY_SCRIPT_RESTORE[] =
    "local function queues(exchange, key) "
    "  if exchange == '' then return {key ~= '' and key or ARGV[2]} end "
    "  local found = {} "
    "  for _, bound in ipairs(redis.call('SMEMBERS', '_kombu.binding.' .. exchange)) do "
    "    local k, q = string.match(bound, '^(.-)\\6\\22.-\\6\\22(.*)$') "
    "    if k == key and q ~= '' then found[#found + 1] = q end "
    "  end "
    "  return found "
    "end "
    "local n = 0 "
    "for i = 5, #ARGV, 5 do "
    "  local tag, message = ARGV[i], ARGV[i + 2] "
    "  if redis.call('HGET', KEYS[1], tag) == ARGV[i + 1] then "
    "    local to = message == '' and {KEYS[5]} or queues(ARGV[i + 3], ARGV[i + 4]) "
    "    if #to == 0 then " /* bound to nothing now: it waits for another time-out */
    "      redis.call('ZADD', KEYS[2], 'XX', ARGV[3], tag) "
    "      redis.call('HDEL', KEYS[3], tag) "
    "    else "
    "      redis.call('HDEL', KEYS[1], tag) "
    "      redis.call('ZREM', KEYS[2], tag) "
    "      redis.call('HDEL', KEYS[3], tag) "
    "      n = n + 1 "
    "    end "
    "    for _, queue in ipairs(to) do "
    "      if message ~= '' then "
    "        redis.call('RPUSH', queue, message) "
    "      else "
    "        redis.call('LPUSH', queue, ARGV[i + 1]) "
    "        redis.call('LTRIM', queue, 0, tonumber(ARGV[4]) - 1) "
    "      end "
    "    end "
    "  end "
    "end "
    "if redis.call('GET', KEYS[4]) == ARGV[1] then redis.call('DEL', KEYS[4]) end "
    "return n";

const char CELERY_SCRIPT_RENEW[] = "redis.call('SET', KEYS[2], '1', 'PX', ARGV[2]) "
                                   "for i = 4, #ARGV do "
                                   "  redis.call('ZADD', KEYS[1], 'XX', ARGV[1], ARGV[i]) "
                                   "end "
                                   "return #ARGV - 3";
