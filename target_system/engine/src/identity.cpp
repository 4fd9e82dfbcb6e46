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

Digest digest_of(const DigestKey& key, u32 account, std::string_view client_order_id) {
  Sip sip{key.first ^ 0x736f6d6570736575ULL, key.second ^ 0x646f72616e646f6dULL ^ 0xee,
          key.first ^ 0x6c7967656e657261ULL, key.second ^ 0x7465646279746573ULL};
  sip.absorb(u64{account} << 8 | client_order_id.size());
  const char* at = client_order_id.data();
  std::size_t left = client_order_id.size();
  for (; left >= 8; left -= 8, at += 8) {
    u64 word = 0;
    std::memcpy(&word, at, 8);
    sip.absorb(word);
  }
  u64 tail = 0;
  if (left > 0) std::memcpy(&tail, at, left);
  sip.absorb(tail);

  Digest digest;
  sip.c ^= 0xee;
  digest.low = sip.squeeze();
  sip.b ^= 0xdd;
  digest.high = sip.squeeze();
  return digest;
}

}  // namespace lab::engine
