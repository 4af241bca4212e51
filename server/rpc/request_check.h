#ifndef RTMIXD_SERVER_RPC_REQUEST_CHECK_H_
#define RTMIXD_SERVER_RPC_REQUEST_CHECK_H_

#include <google/protobuf/message.h>

#include "absl/status/status.h"

namespace rtmixd {

// What holds for every request, whatever it asks: no field and no enum value that this server does
// not know (an old server must never drop a fade), no NaN or infinity, and no more than 100 000
// entries in one field. INVALID_ARGUMENT with the path of the field otherwise, such as
// "actions[2].play.gain".
absl::Status CheckRequest(const google::protobuf::Message& request);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_REQUEST_CHECK_H_
