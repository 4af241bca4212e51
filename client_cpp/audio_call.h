#ifndef RTMIXD_CLIENT_CPP_AUDIO_CALL_H_
#define RTMIXD_CLIENT_CPP_AUDIO_CALL_H_

#include <grpcpp/support/status.h>

#include <memory>
#include <string>

#include "client_cpp/client.h"
#include "rtmixd/v1/audio.pb.h"

namespace rtmixd::client {

// One Play, Record or Duplex call on the wire. Exists so that what streams do (credit, resending,
// reattaching) is written once, in the messages of Duplex, of which those of Play and Record are
// parts.
//
// Threading: the listener is called on gRPC's threads, never from inside Send or Cancel, one call
// at a time for reading and one for sending. Send and Cancel on any thread.
class AudioCall {
 public:
  enum class Kind { kPlay, kRecord, kDuplex };

  class Listener {
   public:
    virtual ~Listener() = default;
    // A message came.
    virtual void OnMessage(v1::DuplexResponse message) = 0;
    // The message given to Send is on its way; the next may follow.
    virtual void OnSent() = 0;
    // Nothing will come any more. Nothing may be sent after this has been called.
    virtual void OnReadEnd() = 0;
    // Last of all; nothing is called after it.
    virtual void OnDone(const grpc::Status& status) = 0;
  };

  // Makes the call with `config` as its first message, after which OnSent comes. Call and listener
  // must live until OnDone. The call must not be destroyed on a thread of gRPC's: with it may go
  // the last use of its channel, and the last channel that goes waits for those threads.
  static std::unique_ptr<AudioCall> Start(Kind kind, std::shared_ptr<const Stubs> stubs,
                                          const std::string& token, v1::DuplexConfig config,
                                          Listener* listener);

  virtual ~AudioCall() = default;
  // Sends a message; the one before must have been sent.
  virtual void Send(v1::DuplexRequest message) = 0;
  // Breaks the call off.
  virtual void Cancel() = 0;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_AUDIO_CALL_H_
