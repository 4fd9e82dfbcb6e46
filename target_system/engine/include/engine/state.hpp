// Everything that follows from the journal, as the book thread holds it.
#pragma once

#include "engine/identity.hpp"
#include "engine/matcher.hpp"

namespace lab::engine {

struct State {
  State(const Limits& limits, u64 ids_max)
      : matcher(limits, ids_max), identities(ids_max), offsets(ids_max + 1) {}

  DigestKey key = DigestKey::random();
  Matcher matcher;
  IdentityIndex identities;
  PageArray<u64> offsets;  // of each sequence number's payload in the journal
  Sequence last;
};

}  // namespace lab::engine
