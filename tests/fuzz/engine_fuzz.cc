// Sequences of calls of the whole control layer: see EngineProgram.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/choices.h"
#include "tests/fuzz/engine_program.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  rtmixd::Choices choices(data, size);
  rtmixd::EngineProgram program;
  program.Run(&choices);
  program.Finish();
  return 0;
}
