-- Jobs: a hash each, with the document in `d`, and leaves of branches in `b0`, `b1`, ... whose marks are
-- in `m`, with spaces between.

local function j_marks(text)
  local marks = {}
  for mark in string.gmatch(text or '', '%S+') do marks[#marks + 1] = mark end
  return marks
end
