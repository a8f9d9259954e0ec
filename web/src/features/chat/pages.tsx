import { useParams, useSearch } from "@tanstack/react-router";
import { NewChat, OpenChat } from "./chat";

/** `/a/$assistant`: a chat that is about to begin. */
export function NewChatPage() {
  const { assistant } = useParams({ from: "/inside/a/$assistant" });
  const { q } = useSearch({ from: "/inside/a/$assistant" });
  return <NewChat assistant={assistant} question={q} />;
}

/** `/c/$session`: a chat that was kept. */
export function OpenChatPage() {
  return <OpenChat session={useParams({ from: "/inside/c/$session" }).session} />;
}
