#ifndef RTMIXD_TESTS_SOAK_GUARDED_DEVICE_H_
#define RTMIXD_TESTS_SOAK_GUARDED_DEVICE_H_

#include <memory>
#include <utility>

#include "server/device/audio_device.h"
#include "server/realtime/audio_block.h"
#include "tests/device/wrapped_device.h"
#include "tests/support/rt_guard.h"

namespace rtmixd {

// The device with every block under the guard: what may not be done on the audio thread aborts.
inline std::unique_ptr<AudioDevice> GuardDevice(std::unique_ptr<AudioDevice> device) {
  return std::make_unique<WrappedDevice>(
      std::move(device), [](AudioBlockSink* sink) { return std::make_unique<GuardedSink>(sink); });
}

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_SOAK_GUARDED_DEVICE_H_
