// Folding: a function that ran several times in one block of calibration has one entry per operator, not one per call.
//
// Calls of modules say where a program begins. Functions do not: calibration appends their second run behind the first one,
// and looks for the repetition when the block ends.
#pragma once

#include "int8/recipe.h"

namespace ipex::int8 {

// Makes one program of entries that repeat themselves with the same weights, the runs that an exception ended early among
// them; statistics are merged. The entries before `first` were there before: they are a whole program. Nothing happens if
// modules were called. Called without the recipe's lock.
void fold(Recipe& recipe, size_t first);

} // namespace ipex::int8
