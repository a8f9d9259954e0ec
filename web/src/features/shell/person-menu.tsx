import {
  Menu,
  MenuContent,
  MenuItem,
  MenuLabel,
  MenuLine,
  MenuRadio,
  MenuRadioGroup,
  MenuTrigger,
} from "@/components/ui/menu";
import { body, client } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import { meQuery } from "@/lib/api/queries";
import { hue } from "@/lib/format";
import { setTheme, useTheme, type Theme } from "@/lib/theme";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ChevronsUpDown, Keyboard, LogOut, Monitor, Moon, Sun } from "lucide-react";
import { toast } from "sonner";

const initials = (name: string) =>
  name
    .split(/\s+/)
    .map((word) => word[0])
    .filter(Boolean)
    .slice(0, 2)
    .join("");

/** Who is signed in, how the page looks, and the way out. */
export function PersonMenu({ onHelp }: { onHelp: () => void }) {
  const { data: me } = useQuery(meQuery);
  const theme = useTheme();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const leave = useMutation({
    mutationFn: () => body(client.POST("/api/sign-out")),
    onSuccess: async () => {
      await navigate({ to: "/sign-in" });
      cache.clear();
    },
    onError: (error) => toast.error("You are still signed in", { description: asProblem(error).detail }),
  });
  if (!me) return null;
  return (
    <Menu>
      <MenuTrigger className="flex w-full items-center gap-3 rounded-xl p-2 text-left transition-colors hover:bg-surface/70 data-[state=open]:bg-surface/70">
        <span
          aria-hidden
          style={{ "--hue": hue(me.id) } as React.CSSProperties}
          className="grid size-9 shrink-0 place-items-center rounded-full text-xs font-semibold tile"
        >
          {initials(me.name)}
        </span>
        <span className="min-w-0 flex-1 leading-tight">
          <span className="block truncate text-sm font-medium">{me.name}</span>
          <span className="block truncate text-xs text-quiet">{me.department.name}</span>
          <span className="sr-only">: account and settings</span>
        </span>
        <ChevronsUpDown aria-hidden className="size-4 shrink-0 text-quiet" />
      </MenuTrigger>
      <MenuContent side="top" align="start" className="w-64">
        <MenuLabel>
          <span className="block font-medium text-ink">{me.title || me.name}</span>
          {me.email}
        </MenuLabel>
        <MenuLine />
        <MenuLabel>Theme</MenuLabel>
        <MenuRadioGroup value={theme} onValueChange={(value) => setTheme(value as Theme)}>
          <MenuRadio value="light">
            <Sun /> Light
          </MenuRadio>
          <MenuRadio value="dark">
            <Moon /> Dark
          </MenuRadio>
          <MenuRadio value="system">
            <Monitor /> As the system
          </MenuRadio>
        </MenuRadioGroup>
        <MenuLine />
        <MenuItem onSelect={onHelp}>
          <Keyboard /> Keyboard shortcuts
        </MenuItem>
        <MenuItem onSelect={() => leave.mutate()}>
          <LogOut /> Sign out
        </MenuItem>
      </MenuContent>
    </Menu>
  );
}
