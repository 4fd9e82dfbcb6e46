#include "engine/identity.hpp"

#include <sys/random.h>

#include <bit>
#include <cstring>
#include <stdexcept>

namespace lab::engine {
namespace {

// SipHash by Aumasson and Bernstein, one round a word and three at the end, 128-bit output.
struct Sip {
  u64 a;
  u64 b;
  u64 c;
  u64 d;

  void round() {
    a += b;
    b = std::rotl(b, 13) ^ a;
    a = std::rotl(a, 32);
    c += d;
    d = std::rotl(d, 16) ^ c;
    a += d;
    d = std::rotl(d, 21) ^ a;
    c += b;
    b = std::rotl(b, 17) ^ c;
    c = std::rotl(c, 32);
  }

  void absorb(u64 word) {
    d ^= word;
    round();
    a ^= word;
  }

  u64 squeeze() {
    round();
    round();
    round();
    return a ^ b ^ c ^ d;
  }
};

}  // namespace

DigestKey DigestKey::random() {
  DigestKey key;
  if (::getrandom(&key, sizeof key, 0) != sizeof key) throw std::runtime_error("getrandom gave no key");
  return key;
}

Digest digest_of(const DigestKey& key, const Command& command) {
  Sip sip{key.first ^ 0x736f6d6570736575ULL, key.second ^ 0x646f72616e646f6dULL ^ 0xee,
          key.first ^ 0x6c7967656e657261ULL, key.second ^ 0x7465646279746573ULL};
  sip.absorb(u64{command.account} << 8 | command.client_id_size);
  for (std::size_t at = 0; at < command.client_id_size; at += 8) {
    u64 word = 0;
    std::memcpy(&word, command.client_id + at, 8);
    sip.absorb(word);
  }
  Digest digest;
  sip.c ^= 0xee;
  digest.low = sip.squeeze();
  sip.b ^= 0xdd;
  digest.high = sip.squeeze();
  return digest;
}

}  // namespace lab::engine
