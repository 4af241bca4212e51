#ifndef RTMIXD_CLIENT_CPP_RANDOM_ID_H_
#define RTMIXD_CLIENT_CPP_RANDOM_ID_H_

#include <string>

namespace rtmixd::client {

// 32 hexadecimal digits that nobody has used before: a request_id, which makes a call repeatable.
std::string RandomId();

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_RANDOM_ID_H_
