#ifndef RTMIXD_SERVER_RPC_ACTION_SERVICE_H_
#define RTMIXD_SERVER_RPC_ACTION_SERVICE_H_

#include "rtmixd/v1/action.grpc.pb.h"
#include "server/control/engine.h"
#include "server/rpc/worker.h"

namespace rtmixd {

// rtmixd.v1.ActionService over an Engine and a Worker, which outlive it.
class ActionService final : public v1::ActionService::CallbackService {
 public:
  ActionService(Engine& engine, Worker& worker) : engine_(engine), worker_(worker) {}

  grpc::ServerUnaryReactor* ScheduleActions(grpc::CallbackServerContext* context,
                                            const v1::ScheduleActionsRequest* request,
                                            v1::ScheduleActionsResponse* response) override;
  grpc::ServerUnaryReactor* CommitBatch(grpc::CallbackServerContext* context,
                                        const v1::CommitBatchRequest* request,
                                        v1::CommitBatchResponse* response) override;
  grpc::ServerUnaryReactor* GetAction(grpc::CallbackServerContext* context,
                                      const v1::GetActionRequest* request,
                                      v1::GetActionResponse* response) override;
  grpc::ServerUnaryReactor* ListActions(grpc::CallbackServerContext* context,
                                        const v1::ListActionsRequest* request,
                                        v1::ListActionsResponse* response) override;
  grpc::ServerUnaryReactor* CancelActions(grpc::CallbackServerContext* context,
                                          const v1::CancelActionsRequest* request,
                                          v1::CancelActionsResponse* response) override;
  grpc::ServerUnaryReactor* ChangeActions(grpc::CallbackServerContext* context,
                                          const v1::ChangeActionsRequest* request,
                                          v1::ChangeActionsResponse* response) override;
  grpc::ServerUnaryReactor* WaitActions(grpc::CallbackServerContext* context,
                                        const v1::WaitActionsRequest* request,
                                        v1::WaitActionsResponse* response) override;
  grpc::ServerUnaryReactor* GetBatch(grpc::CallbackServerContext* context,
                                     const v1::GetBatchRequest* request,
                                     v1::GetBatchResponse* response) override;
  grpc::ServerUnaryReactor* WaitBatch(grpc::CallbackServerContext* context,
                                      const v1::WaitBatchRequest* request,
                                      v1::WaitBatchResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchActionsResponse>* WatchActions(
      grpc::CallbackServerContext* context, const v1::WatchActionsRequest* request) override;
  grpc::ServerUnaryReactor* GetStats(grpc::CallbackServerContext* context,
                                     const v1::GetStatsRequest* request,
                                     v1::GetStatsResponse* response) override;

 private:
  Engine& engine_;
  Worker& worker_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_ACTION_SERVICE_H_
