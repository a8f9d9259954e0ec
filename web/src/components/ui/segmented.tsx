import { cn } from "@/lib/cn";
import { RadioGroup } from "radix-ui";

/** One of a few choices, side by side. */
export function Segmented<T extends string>(props: {
  name: string;
  value: T;
  choices: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
  className?: string;
}) {
  return (
    <RadioGroup.Root
      aria-label={props.name}
      value={props.value}
      onValueChange={(value) => props.onChange(value as T)}
      orientation="horizontal"
      className={cn("inline-flex max-w-full flex-wrap gap-0.5 rounded-lg bg-sunken p-0.5", props.className)}
    >
      {props.choices.map(([value, name]) => (
        <RadioGroup.Item
          key={value}
          value={value}
          className="h-8 rounded-md px-3 text-[13px] font-medium text-quiet transition-colors hover:text-ink data-[state=checked]:bg-surface data-[state=checked]:text-ink data-[state=checked]:shadow-lift dark:data-[state=checked]:bg-line"
        >
          {name}
        </RadioGroup.Item>
      ))}
    </RadioGroup.Root>
  );
}
