#include "client_cpp/fade.h"

namespace rtmixd::client {
namespace {

v1::Fade Make(int64_t frames, v1::FadeShape shape) {
  v1::Fade fade;
  fade.set_frames(frames);
  fade.set_shape(shape);
  return fade;
}

}  // namespace

v1::Fade LinearFade(int64_t frames) { return Make(frames, v1::FADE_SHAPE_LINEAR); }

v1::Fade EqualPowerFade(int64_t frames) { return Make(frames, v1::FADE_SHAPE_EQUAL_POWER); }

}  // namespace rtmixd::client
