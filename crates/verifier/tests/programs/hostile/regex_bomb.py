# end: TimeLimit
import re
re.match(r"(a*)*(a*)*(a*)*$", "a" * 4000 + "b")
