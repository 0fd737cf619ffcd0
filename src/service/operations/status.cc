// The installation as a whole: how it is, and its end.
#include "routes.h"

namespace glasscase::operations {

Result<Outcome> AskStatus(Workplace& place, Act& act) {
  GC_TRY_VOID(place.desk.Permit(act));
  Outcome outcome;
  *outcome.answer.mutable_status() = place.status();
  return outcome;
}

Result<Outcome> Stop(Workplace& place, Act& act) {
  GC_TRY_VOID(place.desk.Permit(act));
  Outcome outcome;
  outcome.answer.mutable_done();
  outcome.afterwards = [&desk = place.desk] { desk.supervisor.Stop(); };
  return outcome;
}

}  // namespace glasscase::operations
