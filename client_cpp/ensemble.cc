#include "client_cpp/ensemble.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client_cpp/duration.h"
#include "client_cpp/error.h"

namespace rtmixd::client {
namespace {

// So long what was cancelled may take to end.
constexpr absl::Duration kEndLimit = absl::Seconds(5);

// Puts what the server told in the place of what was known.
void Take(const google::protobuf::RepeatedPtrField<v1::ActionReport>& told, EnsemblePart& part) {
  for (const v1::ActionReport& report : told) {
    const auto found = std::find_if(
        part.reports.begin(), part.reports.end(),
        [&](const v1::ActionReport& known) { return known.action_id() == report.action_id(); });
    if (found != part.reports.end()) *found = report;
  }
}

absl::Status Prefixed(const std::string& target, const absl::Status& status) {
  absl::Status named(status.code(), absl::StrCat(target, ": ", status.message()));
  if (const auto detail = ErrorDetailOf(status)) SetErrorDetail(*detail, named);
  return named;
}

}  // namespace

std::optional<absl::Time> EnsemblePart::StartWallTime() const {
  std::optional<absl::Time> first;
  for (const v1::ActionReport& report : reports) {
    if (!report.has_start_wall_time()) continue;
    const absl::Time start = FromProto(report.start_wall_time());
    first = std::min(first.value_or(start), start);
  }
  return first;
}

bool EnsemblePart::Silent() const {
  return std::all_of(reports.begin(), reports.end(), [](const v1::ActionReport& report) {
    return report.state() == v1::ACTION_STATE_ENDED && !report.has_start_frame();
  });
}

bool EnsembleReport::Silent() const {
  return std::all_of(parts.begin(), parts.end(),
                     [](const EnsemblePart& part) { return part.Silent(); });
}

std::vector<std::string> EnsembleReport::InDoubt() const {
  std::vector<std::string> targets;
  for (const EnsemblePart& part : parts) {
    if (!part.status.ok() && !part.Silent()) targets.push_back(part.target);
  }
  return targets;
}

std::optional<absl::Duration> EnsembleReport::Spread() const {
  absl::Time first = absl::InfiniteFuture();
  absl::Time last = absl::InfinitePast();
  for (const EnsemblePart& part : parts) {
    const std::optional<absl::Time> start = part.StartWallTime();
    if (!start.has_value()) return std::nullopt;
    first = std::min(first, *start);
    last = std::max(last, *start);
  }
  if (parts.empty()) return std::nullopt;
  return last - first;
}

Ensemble::Ensemble(std::vector<Member> members) : members_(std::move(members)) {
  for (const Member& member : members_) {
    report_.parts.push_back({.target = member.session->client().target()});
  }
}

Ensemble::~Ensemble() {
  if (prepared_ && !committed_) Cancel();
}

absl::Status Ensemble::OnAll(const std::function<absl::Status(const Member&, EnsemblePart&)>& act) {
  std::vector<absl::Status> results(members_.size());
  std::vector<std::thread> threads;
  threads.reserve(members_.size());
  for (size_t i = 0; i < members_.size(); ++i) {
    threads.emplace_back([&, i] { results[i] = act(members_[i], report_.parts[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  absl::Status first;
  for (size_t i = 0; i < members_.size(); ++i) {
    if (results[i].ok()) continue;
    EnsemblePart& part = report_.parts[i];
    if (part.status.ok()) part.status = results[i];
    if (first.ok()) first = Prefixed(part.target, results[i]);
  }
  return first;
}

absl::Status Ensemble::Prepare(absl::Time moment) {
  if (prepared_) return absl::FailedPreconditionError("the ensemble was prepared before");
  prepared_ = true;
  const absl::Status status = OnAll([moment](const Member& member, EnsemblePart& part) {
    v1::ScheduleActionsRequest request = member.request;
    *request.mutable_origin_wall_time() = ToProto(moment);
    request.set_prepare(true);
    auto scheduled = ScheduleActions(*member.session, std::move(request));
    if (!scheduled.ok()) return scheduled.status();
    part.batch_id = scheduled->batch_id();
    for (const v1::ScheduledAction& action : scheduled->actions()) {
      v1::ActionReport& report = part.reports.emplace_back();
      report.set_action_id(action.action_id());
      report.set_key(action.key());
      report.set_batch_id(scheduled->batch_id());
      report.set_state(v1::ACTION_STATE_PENDING);
    }
    return absl::OkStatus();
  });
  if (!status.ok()) Cancel();
  return status;
}

absl::Status Ensemble::Commit() {
  const bool all_prepared =
      prepared_ && std::all_of(report_.parts.begin(), report_.parts.end(),
                               [](const EnsemblePart& part) { return part.status.ok(); });
  if (!all_prepared) return absl::FailedPreconditionError("the ensemble is not prepared");
  absl::Status status = OnAll([](const Member& member, EnsemblePart& part) {
    v1::CommitBatchRequest request;
    request.set_batch_id(part.batch_id);
    return member.session->client()
        .Call(&Stubs::actions, &v1::ActionService::Stub::CommitBatch, request,
              member.session->call(kSilenceLimit, /*retry=*/true))
        .status();
  });
  if (!status.ok()) {
    Cancel();
    return status;
  }
  committed_ = true;
  return absl::OkStatus();
}

EnsembleReport Ensemble::Wait(absl::Duration timeout) {
  OnAll([&](const Member& member, EnsemblePart& part) {
    const std::vector<std::string> ids = ActionIds(part);
    if (ids.empty()) return absl::OkStatus();
    auto answer = WaitActions(*member.session, ids, timeout);
    if (answer.ok()) Take(answer->ended(), part);
    return answer.status();
  }).IgnoreError();
  return report_;
}

EnsembleReport Ensemble::Cancel() {
  OnAll([&](const Member& member, EnsemblePart& part) {
    const std::vector<std::string> ids = ActionIds(part);
    if (ids.empty()) return absl::OkStatus();
    v1::CancelActionsRequest request;
    request.mutable_action_ids()->Add(ids.begin(), ids.end());
    auto cancelled =
        member.session->client().Call(&Stubs::actions, &v1::ActionService::Stub::CancelActions,
                                      request, member.session->call(kSilenceLimit, /*retry=*/true));
    if (!cancelled.ok()) return cancelled.status();
    Take(cancelled->reports(), part);
    // What the mixer has already ends with its next block.
    auto ended = WaitActions(*member.session, ids, kEndLimit);
    if (ended.ok()) Take(ended->ended(), part);
    return ended.status();
  }).IgnoreError();
  return report_;
}

std::vector<std::string> Ensemble::ActionIds(const EnsemblePart& part) {
  std::vector<std::string> ids;
  ids.reserve(part.reports.size());
  for (const v1::ActionReport& report : part.reports) ids.push_back(report.action_id());
  return ids;
}

}  // namespace rtmixd::client
