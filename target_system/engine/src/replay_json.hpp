// Results and books as engine-replay prints them: fields named as in engine.proto, symbols by name, enums in lower case.
#pragma once

#include <string>
#include <vector>

#include "engine/matcher.hpp"

namespace lab::engine {

// Appends one line.
void append_result_json(Sequence sequence, const Replayed& replayed, const Outcomes& outcomes,
                        const std::vector<std::string>& symbols, std::string& out);

std::string books_json(const Market<DenseIds>& market, Sequence sequence, const std::vector<std::string>& symbols);

}  // namespace lab::engine
