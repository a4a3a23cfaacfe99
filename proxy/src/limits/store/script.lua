-- The buckets of limits, exact: what ../bucket.rs does, for several at once, by the clock of this server.
--
-- A bucket's key holds `at`, then for requests, tokens and cost each `window spent` (`0 0` where it is not bounded), then
-- for each moment at which reservations expire `until tokens cost`. Times are in milliseconds. What is spent is counted in units
-- times the window, so that `limit` of it come back in each millisecond; what is reserved in units. No key: nothing is spent.
--
-- reserve WAIT and LATEST, and for each key KEEP and for each kind `-` or `window limit full amount begin more`:
--   takes the amounts of all buckets, or of none. What is reserved expires WAIT from now, unless it is settled. A kind that is
--   not there begins with `begin` spent; `more` was spent elsewhere and comes on top. After LATEST nobody waits for it, so
--   nothing is taken.
--   Returns whether they were taken, when that expires, and what is spent of each kind of each key.
-- settle, and for each key KEEP and UNTIL and for each kind `-` or `window limit full reserved used`:
--   sets right what was reserved. UNTIL is 0 for what no longer expires, or never did.
-- probe: writes, as the others do. Returns the time.

local BASE = 10000
-- Longer than any window, and small enough that four digits of it are exact.
local LONGEST = 800000000000

local argument = 0
local function next_argument()
  argument = argument + 1
  return ARGV[argument]
end

-- Whole numbers of any size: Lua's own where they are exact, else lists of four digits each, the least first.
local EXACT = 2 ^ 53

local function is_zero(number)
  return number == 0 or type(number) == 'table' and #number == 0
end

local function digits_of(number)
  if type(number) == 'table' then
    return number
  end
  local digits = {}
  while number > 0 do
    local digit = math.fmod(number, BASE)
    digits[#digits + 1] = digit
    number = (number - digit) / BASE
  end
  return digits
end

local function without_zeros(digits)
  while digits[#digits] == 0 do
    digits[#digits] = nil
  end
  return digits
end

local function read(text)
  if #text <= 15 then
    return tonumber(text)
  end
  local digits = {}
  for last = #text, 1, -4 do
    digits[#digits + 1] = tonumber(text:sub(math.max(1, last - 3), last))
  end
  return without_zeros(digits)
end

local function write(number)
  if type(number) == 'number' then
    return string.format('%.0f', number)
  end
  if #number == 0 then
    return '0'
  end
  local digits = { string.format('%d', number[#number]) }
  for place = #number - 1, 1, -1 do
    digits[#digits + 1] = string.format('%04d', number[place])
  end
  return table.concat(digits)
end

local function times(number, factor)
  if type(number) == 'number' and number * factor < EXACT then
    return number * factor
  end
  if factor == 0 then
    return 0
  end
  local digits, product, carry = digits_of(number), {}, 0
  for place = 1, #digits do
    local sum = digits[place] * factor + carry
    carry = math.floor(sum / BASE)
    product[place] = sum - carry * BASE
  end
  while carry > 0 do
    local rest = math.floor(carry / BASE)
    product[#product + 1] = carry - rest * BASE
    carry = rest
  end
  return product
end

local function divided(number, divisor)
  if type(number) == 'number' then
    return (number - math.fmod(number, divisor)) / divisor
  end
  local quotient, rest = {}, 0
  for place = #number, 1, -1 do
    local sum = rest * BASE + number[place]
    rest = math.fmod(sum, divisor)
    quotient[place] = (sum - rest) / divisor
  end
  return without_zeros(quotient)
end

local function plus(one, other)
  if type(one) == 'number' and type(other) == 'number' and one + other < EXACT then
    return one + other
  end
  one, other = digits_of(one), digits_of(other)
  local sum, carry = {}, 0
  for place = 1, math.max(#one, #other) do
    local digit = (one[place] or 0) + (other[place] or 0) + carry
    carry = digit >= BASE and 1 or 0
    sum[place] = digit - carry * BASE
  end
  if carry > 0 then
    sum[#sum + 1] = carry
  end
  return sum
end

local function less(one, other)
  if type(one) == 'number' and type(other) == 'number' then
    return one < other
  end
  one, other = digits_of(one), digits_of(other)
  if #one ~= #other then
    return #one < #other
  end
  for place = #one, 1, -1 do
    if one[place] ~= other[place] then
      return one[place] < other[place]
    end
  end
  return false
end

-- Nothing is less than zero.
local function minus(one, other)
  if less(one, other) then
    return 0
  end
  if type(one) == 'number' and type(other) == 'number' then
    return one - other
  end
  one, other = digits_of(one), digits_of(other)
  local rest, borrow = {}, 0
  for place = 1, #one do
    local digit = one[place] - (other[place] or 0) - borrow
    borrow = digit < 0 and 1 or 0
    rest[place] = digit + borrow * BASE
  end
  return without_zeros(rest)
end

-- About so much, for times to live.
local function about(number)
  if type(number) == 'number' then
    return number
  end
  local sum = 0
  for place = #number, 1, -1 do
    sum = sum * BASE + number[place]
  end
  return sum
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local KINDS = 3

-- The bucket of a key as it is now, by what the arguments say of its kinds.
local function bucket_of(key, kinds)
  local text = redis.call('GET', key)
  local words = {}
  for word in (text or ''):gmatch('%d+') do
    words[#words + 1] = word
  end
  local at = tonumber(words[1] or now)
  local bucket = { key = key, at = math.max(at, now), holds = {} }
  local elapsed = math.min(math.max(now - at, 0), LONGEST)
  for kind = 1, KINDS do
    local bound = kinds[kind]
    if bound then
      local window = tonumber(words[2 * kind] or 0)
      local spent = bound.begin or 0
      if window > 0 then
        spent = read(words[2 * kind + 1])
        if window ~= bound.window then
          spent = times(divided(spent, window), bound.window)
        end
        spent = minus(spent, times(bound.limit, elapsed))
      end
      bucket[kind] = spent
    end
  end
  for word = 2 * KINDS + 2, #words, 3 do
    local until_ms, held = tonumber(words[word]), { [2] = read(words[word + 1]), [3] = read(words[word + 2]) }
    if until_ms > now then
      bucket.holds[until_ms] = held
    else
      for kind = 2, KINDS do
        if bucket[kind] then
          bucket[kind] = minus(bucket[kind], times(held[kind], kinds[kind].window))
        end
      end
    end
  end
  return bucket
end

local function keep(bucket, kinds, least)
  local words, lives, is_empty = { string.format('%.0f', bucket.at) }, 0, true
  for kind = 1, KINDS do
    local bound = kinds[kind]
    if bound then
      words[#words + 1] = string.format('%.0f', bound.window)
      words[#words + 1] = write(bucket[kind])
      is_empty = is_empty and is_zero(bucket[kind])
      if not is_zero(bound.limit) then
        lives = math.max(lives, about(bucket[kind]) / about(bound.limit))
      end
    else
      words[#words + 1] = '0 0'
    end
  end
  for until_ms, held in pairs(bucket.holds) do
    if not (is_zero(held[2]) and is_zero(held[3])) then
      words[#words + 1] = string.format('%.0f', until_ms)
      words[#words + 1] = write(held[2])
      words[#words + 1] = write(held[3])
      is_empty = false
      lives = math.max(lives, until_ms - now)
    end
  end
  if is_empty then
    redis.call('DEL', bucket.key)
    return
  end
  -- A little longer, since the time is only about right.
  lives = math.min(math.max(lives * 1.001 + 1000, least), LONGEST)
  redis.call('SET', bucket.key, table.concat(words, ' '), 'PX', string.format('%.0f', lives))
end

-- For each kind that is bounded its window, limit and what is full, and the numbers of these names.
local function kinds_of(names)
  local kinds = {}
  for kind = 1, KINDS do
    local window = next_argument()
    if window ~= '-' then
      local bound = { window = tonumber(window), limit = read(next_argument()), full = read(next_argument()) }
      for _, name in ipairs(names) do
        bound[name] = read(next_argument())
      end
      kinds[kind] = bound
    end
  end
  return kinds
end

local function reserve()
  local wait, latest = tonumber(next_argument()), tonumber(next_argument())
  if now > latest then
    return redis.error_reply('LATE nobody waits for this any more')
  end
  -- Reservations expire together in steps, so that a bucket has a few moments and not as many as requests.
  local step = 2 ^ math.floor(math.log(math.max(wait / 8, 1)) / math.log(2))
  local until_ms = math.ceil((now + wait) / step) * step
  local all, fits, reply = {}, true, {}
  for place, key in ipairs(KEYS) do
    local least, kinds = tonumber(next_argument()), kinds_of({ 'amount', 'begin', 'more' })
    local bucket, has_more = bucket_of(key, kinds), false
    for kind, bound in pairs(kinds) do
      has_more = has_more or not is_zero(bound.more)
      bucket[kind] = plus(bucket[kind], bound.more)
      if not is_zero(bound.amount) then
        bound.after = plus(bucket[kind], times(bound.amount, bound.window))
        fits = fits and not less(bound.full, bound.after)
      end
    end
    all[place] = { bucket = bucket, kinds = kinds, least = least, has_more = has_more }
  end
  for _, each in ipairs(all) do
    local bucket = each.bucket
    if fits then
      local held = bucket.holds[until_ms] or { [2] = 0, [3] = 0 }
      for kind, bound in pairs(each.kinds) do
        bucket[kind] = bound.after or bucket[kind]
        if kind > 1 then
          held[kind] = plus(held[kind], bound.amount)
        end
      end
      bucket.holds[until_ms] = held
    end
    if fits or each.has_more then
      keep(bucket, each.kinds, each.least)
    end
    for kind = 1, KINDS do
      reply[#reply + 1] = bucket[kind] and write(bucket[kind]) or '-'
    end
  end
  return { fits and 1 or 0, string.format('%.0f', until_ms), unpack(reply) }
end

local function settle()
  for _, key in ipairs(KEYS) do
    local least, until_ms = tonumber(next_argument()), tonumber(next_argument())
    local kinds = kinds_of({ 'reserved', 'used' })
    local bucket = bucket_of(key, kinds)
    local held = bucket.holds[until_ms]
    for kind, bound in pairs(kinds) do
      local reserved, used = bound.reserved, bound.used
      if kind > 1 and until_ms > 0 then
        if held and not less(held[kind], reserved) then
          held[kind] = minus(held[kind], reserved)
        else
          -- It has expired, and was given back then.
          reserved = 0
        end
      end
      bucket[kind] = minus(bucket[kind], times(minus(reserved, used), bound.window))
      bucket[kind] = plus(bucket[kind], times(minus(used, reserved), bound.window))
    end
    keep(bucket, kinds, least)
  end
  return {}
end

local verb = next_argument()
if verb == 'reserve' then
  return reserve()
elseif verb == 'settle' then
  return settle()
else
  redis.call('SET', KEYS[1], string.format('%.0f', now), 'PX', '1000')
  return { string.format('%.0f', now) }
end
