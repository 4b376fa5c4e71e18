import { useState, type ReactNode } from "react";
import { call, failureOf, useDo, type AccessRequest } from "../api";
import { Confirm, ErrorState, Field, TextInput } from "../kit";
import { useIsProduction, useScope, useText } from "../shell";
import { ACCEPT, ACCESS_TOUCHED, REFUSE } from "./operations";

const MOST_REASON = 2000;

/** Says yes or no to an application that asks to call a service, and why; yes is published. */
export function Answer(props: { request: AccessRequest; accepts: boolean; onClose: () => void; onDone: (answered: AccessRequest) => void }): ReactNode {
  const { request, accepts, onClose, onDone } = props;
  const say = useText("registry");
  const scope = useScope();
  const production = useIsProduction();
  const [reason, setReason] = useState("");
  const [missing, setMissing] = useState(false);
  const answer = useDo(() => call(accepts ? ACCEPT : REFUSE, { path: { ...scope, request_id: request.id }, body: { reason: reason.trim() } }), ACCESS_TOUCHED);
  const verb = accepts ? "accept" : "refuse";
  const named = { consumer: request.consumer, service: request.service };
  return (
    <Confirm
      open
      onClose={onClose}
      onConfirm={() => (reason.trim() ? answer.mutate(undefined, { onSuccess: onDone }) : setMissing(true))}
      kind={accepts ? (production ? "production" : "primary") : "danger"}
      title={say(`${verb}.title`, named)}
      consequence={<strong>{say(accepts && production ? "accept.whatProtected" : `${verb}.what`, named)}</strong>}
      action={say(`${verb}.action`, named)}
      busy={answer.isPending}
      error={answer.error && <ErrorState failure={failureOf(answer.error, say("notAnswered"))} />}
    >
      <blockquote className="n-asked">{request.reason} <span className="k-quiet">— {request.author}</span></blockquote>
      <Field label={say("reason")} hint={say("answerHint")} error={missing && !reason.trim() ? say("reasonFirst") : undefined} required>
        {(ids) => <TextInput {...ids} value={reason} onChange={setReason} maxLength={MOST_REASON} autoFocus />}
      </Field>
    </Confirm>
  );
}
