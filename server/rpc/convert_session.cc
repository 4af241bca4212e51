#include "server/rpc/convert_session.h"

#include "server/rpc/convert_time.h"

namespace rtmixd {

v1::Session ToProto(const SessionInfo& session) {
  v1::Session proto;
  proto.set_session_id(session.session_id);
  proto.set_label(session.label);
  proto.set_state(static_cast<v1::SessionState>(session.state));
  *proto.mutable_ttl() = ToProto(session.ttl);
  *proto.mutable_create_time() = ToProto(session.create_time);
  *proto.mutable_expire_time() = ToProto(session.expire_time);
  if (session.end_time != absl::InfiniteFuture())
    *proto.mutable_end_time() = ToProto(session.end_time);
  proto.set_active_actions(session.active_actions);
  proto.set_buffers(session.buffers);
  proto.set_buffer_bytes(session.buffer_bytes);
  proto.set_queue_position(session.queue_position);
  proto.set_gain(session.gain);
  return proto;
}

v1::AudioBuffer ToProto(const BufferInfo& buffer) {
  v1::AudioBuffer proto;
  proto.set_buffer_id(buffer.buffer_id);
  proto.set_label(buffer.label);
  proto.set_channels(buffer.channels);
  proto.set_sample_rate_hz(buffer.sample_rate_hz);
  proto.set_frames(buffer.frames);
  proto.set_state(static_cast<v1::BufferState>(buffer.state));
  proto.set_keep(buffer.keep);
  *proto.mutable_create_time() = ToProto(buffer.create_time);
  proto.set_record_action_id(buffer.record_action_id);
  proto.set_session_id(buffer.session_id);
  proto.set_bytes(buffer.bytes);
  return proto;
}

v1::ServerLimits ToProto(const Limits& limits) {
  v1::ServerLimits proto;
  proto.set_max_sessions(limits.max_sessions);
  proto.set_max_actions(limits.max_actions);
  proto.set_max_actions_per_session(limits.max_actions_per_session);
  proto.set_max_batch_actions(limits.max_batch_actions);
  proto.set_max_buffer_bytes(limits.max_buffer_bytes);
  proto.set_max_buffer_bytes_per_session(limits.max_buffer_bytes_per_session);
  proto.set_max_buffers_per_session(limits.max_buffers_per_session);
  proto.set_max_audio_streams(limits.max_audio_streams);
  proto.set_max_watch_streams(limits.max_watch_streams);
  proto.set_max_ring_frames(limits.max_ring_frames);
  proto.set_max_message_bytes(limits.max_message_bytes);
  proto.set_max_chunk_bytes(limits.max_chunk_bytes);
  *proto.mutable_max_session_ttl() = ToProto(limits.max_session_ttl);
  *proto.mutable_history() = ToProto(limits.history);
  *proto.mutable_request_id_retention() = ToProto(limits.request_id_retention);
  proto.set_max_kept_reports_per_session(limits.max_kept_reports_per_session);
  proto.set_max_waits(limits.max_waits);
  *proto.mutable_max_exclusive() = ToProto(limits.max_exclusive);
  proto.set_max_calls_per_second(limits.max_calls_per_second);
  return proto;
}

absl::StatusOr<SessionSpec> FromProto(const v1::CreateSessionRequest& request,
                                      absl::Duration max_ttl) {
  SessionSpec spec;
  spec.label = request.label();
  spec.exclusive = request.exclusive();
  spec.request_id = request.request_id();
  if (request.has_ttl()) {
    absl::StatusOr<absl::Duration> ttl = FromProto(request.ttl(), "ttl", absl::Seconds(1), max_ttl);
    if (!ttl.ok()) return ttl.status();
    spec.ttl = *ttl;
  }
  if (request.has_max_lifetime()) {
    absl::StatusOr<absl::Duration> lifetime =
        FromProto(request.max_lifetime(), "max_lifetime", absl::Seconds(1), absl::Hours(24 * 3660));
    if (!lifetime.ok()) return lifetime.status();
    spec.max_lifetime = *lifetime;
  }
  return spec;
}

BufferSpec FromProto(const v1::CreateBufferRequest& request) {
  BufferSpec spec;
  spec.channels = request.channels();
  spec.sample_rate_hz = request.sample_rate_hz();
  spec.label = request.label();
  spec.keep = request.keep();
  spec.expected_frames = request.expected_frames();
  spec.request_id = request.request_id();
  return spec;
}

}  // namespace rtmixd
