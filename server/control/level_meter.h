#ifndef RTMIXD_SERVER_CONTROL_LEVEL_METER_H_
#define RTMIXD_SERVER_CONTROL_LEVEL_METER_H_

#include <cstdint>

#include "server/control/types.h"
#include "server/mixer/audio_history.h"

namespace rtmixd {

// Levels of all channels of both histories from frame `*cursor_frame` to now, as far as both reach
// back; moves the cursor to the end of what was measured. first_frame and frames of the reading are
// the same for every channel. clipped_samples stay 0: the samples are clipped already. A null
// history (the device has no such side) gives no levels; with two of them nothing is measured.
//
// The audio thread writes on meanwhile. Should it overwrite what is being measured (the reader was
// held up for nearly the length of the history), the measurement begins anew with what is left.
//
// Threading: any thread but the audio thread.
MeterReading MeasureLevels(const AudioHistory* input, const AudioHistory* output,
                           int64_t* cursor_frame);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_LEVEL_METER_H_
