#include "server/mixer/batch.h"

#include <algorithm>
#include <memory>

namespace rtmixd {

Batch::~Batch() {
  for (const Row& row : rows_) {
    std::destroy_n(row.voices, row.used);
    std::allocator<Voice>().deallocate(row.voices, row.capacity);
  }
}

void Batch::ReserveVoices(size_t count) {
  if (count == 0) return;
  voices.reserve(voices.size() + count);
  Row& row = rows_.emplace_back();
  row.voices = std::allocator<Voice>().allocate(count);
  row.capacity = count;
}

Voice* Batch::AddVoice(const Voice::Spec& spec) {
  if (rows_.empty() || rows_.back().used == rows_.back().capacity) {
    ReserveVoices(std::max<size_t>(1, voices.size()));
  }
  Row& row = rows_.back();
  Voice* const voice = std::construct_at(row.voices + row.used, spec);
  ++row.used;
  voices.push_back(voice);
  return voice;
}

}  // namespace rtmixd
