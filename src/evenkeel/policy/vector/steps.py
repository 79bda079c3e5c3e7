"""What a step on the way to a key does: four numbers, which are the step itself, two operands, and a weight.

READ, CONSTANT and calculations leave a number on a stack; CUT and COMPARE take one or two from it and add the weight
times a code to the key; FLAG and CODE do so with an input as it is.

| step | first operand | second operand |
|---|---|---|
| READ | an input | where its span is: the least number, the least beyond it |
| CONSTANT | where it is | |
| CUT | where the steps begin | where they end |
| FLAG, CODE | an input | |
| COMPARE | where the five codes are | 1 where both numbers were read, else 0 |
"""

READ, CONSTANT, CUT, FLAG, CODE, COMPARE = range(6)
ADD, SUBTRACT, MULTIPLY, LEAST, MOST, NEGATE, MAGNITUDE = range(6, 13)  # of two numbers, from NEGATE on of one

NO_KEY = -1
EXACT = 2.0**53  # whole numbers below are exact in float64
