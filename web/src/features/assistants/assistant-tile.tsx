import type { Assistant } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { hue } from "@/lib/format";
import {
  BookOpenText,
  FlaskConical,
  Gavel,
  HeartPulse,
  Landmark,
  Layers,
  Scale,
  Users,
  type LucideIcon,
} from "lucide-react";

/** A picture for what a department does, guessed from its name; layers where there is no better one. */
const PICTURES: [RegExp, LucideIcon][] = [
  [/research|science|formulation|discovery/i, FlaskConical],
  [/safety|clinical|vigilance|medical/i, HeartPulse],
  [/regulat|quality/i, Scale],
  [/human|people|personnel/i, Users],
  [/legal|law/i, Gavel],
  [/finance|treasury/i, Landmark],
  [/learn|train|library/i, BookOpenText],
];

export function AssistantTile({ assistant, small }: { assistant: Assistant | undefined; small?: boolean }) {
  const department = assistant?.department.name ?? "";
  const Icon = PICTURES.find(([name]) => name.test(department))?.[1] ?? Layers;
  return (
    <span
      aria-hidden
      style={{ "--hue": hue(assistant?.department.id ?? "") } as React.CSSProperties}
      className={cn(
        "grid shrink-0 place-items-center tile",
        small ? "size-8 rounded-lg [&_svg]:size-4" : "size-12 rounded-2xl [&_svg]:size-6",
      )}
    >
      <Icon />
    </span>
  );
}
