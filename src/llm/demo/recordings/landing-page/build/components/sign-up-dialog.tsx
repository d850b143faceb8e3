import { useId, useState, type FormEvent, type ReactNode } from "react";
import { MailCheck } from "lucide-react";

import { Button } from "@/components/ui/button";
import {
  Dialog,
  DialogClose,
  DialogContent,
  DialogDescription,
  DialogFooter,
  DialogHeader,
  DialogTitle,
  DialogTrigger,
} from "@/components/ui/dialog";
import { Input } from "@/components/ui/input";
import { Label } from "@/components/ui/label";
import { product, type Plan } from "@/lib/content";

/** Asks for an address, and confirms it. What becomes of it is one call, in `signUp`. */
export function SignUpDialog({ plan, children }: { plan: Plan; children: ReactNode }) {
  const [email, setEmail] = useState("");
  const [wrong, setWrong] = useState(false);
  const [sent, setSent] = useState(false);
  const id = useId();

  function signUp(event: FormEvent) {
    event.preventDefault();
    const fits = /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email.trim());
    setWrong(!fits);
    setSent(fits);
  }

  function close(open: boolean) {
    if (open) return;
    setWrong(false);
    setSent(false);
  }

  return (
    <Dialog onOpenChange={close}>
      <DialogTrigger asChild>{children}</DialogTrigger>
      <DialogContent className="sm:max-w-md">
        {sent ? (
          <>
            <DialogHeader>
              <MailCheck aria-hidden className="size-8 text-primary max-sm:mx-auto" />
              <DialogTitle>Thank you!</DialogTitle>
              <DialogDescription role="status">
                We write to {email.trim()} about {plan.name}.
              </DialogDescription>
            </DialogHeader>
            <DialogFooter>
              <DialogClose asChild>
                <Button autoFocus>Done</Button>
              </DialogClose>
            </DialogFooter>
          </>
        ) : (
          <form noValidate onSubmit={signUp} className="grid gap-6">
            <DialogHeader>
              <DialogTitle>
                {product.name} {plan.name}
              </DialogTitle>
              <DialogDescription>{plan.text} Where can we reach you?</DialogDescription>
            </DialogHeader>
            <div className="grid gap-2">
              <Label htmlFor={id}>Email</Label>
              <Input
                id={id}
                type="email"
                autoComplete="email"
                placeholder="you@example.com"
                value={email}
                aria-invalid={wrong}
                aria-describedby={wrong ? `${id}-wrong` : undefined}
                onChange={(event) => {
                  setEmail(event.target.value);
                  setWrong(false);
                }}
              />
              {wrong && (
                <p id={`${id}-wrong`} role="alert" className="text-sm text-destructive">
                  An email address looks like you@example.com.
                </p>
              )}
            </div>
            <DialogFooter>
              <Button type="submit">{plan.action}</Button>
            </DialogFooter>
          </form>
        )}
      </DialogContent>
    </Dialog>
  );
}
