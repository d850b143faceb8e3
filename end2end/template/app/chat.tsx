"use client";

import * as React from "react";
import { FileTextIcon, ImageIcon, RefreshCwIcon, SearchIcon, SendIcon, XIcon } from "lucide-react";
import { toast } from "sonner";

import {
  Attachment,
  AttachmentAction,
  AttachmentActions,
  AttachmentContent,
  AttachmentDescription,
  AttachmentGroup,
  AttachmentMedia,
  AttachmentTitle,
  AttachmentTrigger,
} from "@/components/ui/attachment";
import { Avatar, AvatarFallback } from "@/components/ui/avatar";
import { Bubble, BubbleContent, BubbleGroup, BubbleReactions } from "@/components/ui/bubble";
import { Button } from "@/components/ui/button";
import { Marker, MarkerContent, MarkerIcon } from "@/components/ui/marker";
import { Message, MessageAvatar, MessageContent, MessageFooter, MessageGroup, MessageHeader } from "@/components/ui/message";
import {
  MessageScroller,
  MessageScrollerButton,
  MessageScrollerContent,
  MessageScrollerItem,
  MessageScrollerProvider,
  MessageScrollerViewport,
  useMessageScroller,
  useMessageScrollerScrollable,
  useMessageScrollerVisibility,
} from "@/components/ui/message-scroller";
import {
  Questionnaire,
  QuestionnaireActions,
  QuestionnaireChoice,
  QuestionnaireChoiceDescription,
  QuestionnaireChoices,
  QuestionnaireDescription,
  QuestionnaireError,
  QuestionnaireInput,
  QuestionnaireItem,
  QuestionnaireNext,
  QuestionnairePrevious,
  QuestionnaireProgress,
  QuestionnaireSkip,
  QuestionnaireSubmit,
  QuestionnaireTitle,
} from "@/components/ui/questionnaire";
import { Spinner } from "@/components/ui/spinner";
import { Section } from "./section";

const variants = ["default", "secondary", "muted", "tinted", "outline", "ghost", "destructive"] as const;

export function Chat({ picture }: { picture: string }) {
  return (
    <>
      <Section name="attachment">
        <AttachmentGroup className="w-full">
          <Attachment>
            <AttachmentMedia>
              <FileTextIcon />
            </AttachmentMedia>
            <AttachmentContent>
              <AttachmentTitle>Report.pdf</AttachmentTitle>
              <AttachmentDescription>1.2 MB</AttachmentDescription>
            </AttachmentContent>
            <AttachmentActions>
              <AttachmentAction aria-label="Remove Report.pdf" onClick={() => toast("Removed")}>
                <XIcon />
              </AttachmentAction>
            </AttachmentActions>
            <AttachmentTrigger aria-label="Open Report.pdf" onClick={() => toast("Opened Report.pdf")} />
          </Attachment>
          <Attachment state="uploading" size="sm">
            <AttachmentMedia>
              <Spinner />
            </AttachmentMedia>
            <AttachmentContent>
              <AttachmentTitle>Holiday.mov</AttachmentTitle>
              <AttachmentDescription>40 %</AttachmentDescription>
            </AttachmentContent>
          </Attachment>
          <Attachment state="error" size="sm">
            <AttachmentMedia>
              <ImageIcon />
            </AttachmentMedia>
            <AttachmentContent>
              <AttachmentTitle>Scan.png</AttachmentTitle>
              <AttachmentDescription>Too large</AttachmentDescription>
            </AttachmentContent>
            <AttachmentActions>
              <AttachmentAction aria-label="Try again">
                <RefreshCwIcon />
              </AttachmentAction>
            </AttachmentActions>
          </Attachment>
        </AttachmentGroup>
        <Attachment orientation="vertical">
          <AttachmentMedia variant="image">
            <img src={picture} alt="" />
          </AttachmentMedia>
          <AttachmentContent>
            <AttachmentTitle>Mountains.svg</AttachmentTitle>
            <AttachmentDescription>3 kB</AttachmentDescription>
          </AttachmentContent>
          <AttachmentTrigger asChild>
            <a href="#" aria-label="Open Mountains.svg" />
          </AttachmentTrigger>
        </Attachment>
        <Attachment state="idle" size="xs">
          <AttachmentMedia>
            <FileTextIcon />
          </AttachmentMedia>
          <AttachmentContent>
            <AttachmentTitle>Notes.md</AttachmentTitle>
          </AttachmentContent>
        </Attachment>
      </Section>

      <Section name="bubble">
        <BubbleGroup className="w-full">
          {variants.map((variant, index) => (
            <Bubble key={variant} variant={variant} align={index % 2 === 0 ? "end" : "start"}>
              <BubbleContent className="capitalize">{variant}</BubbleContent>
            </Bubble>
          ))}
          <Bubble variant="secondary" className="mb-4">
            <BubbleContent asChild>
              <button type="button" onClick={() => toast("A bubble was chosen")}>
                Shall we meet on Thursday, or is the week after better for you?
              </button>
            </BubbleContent>
            <BubbleReactions aria-label="Two thumbs up">👍 2</BubbleReactions>
          </Bubble>
        </BubbleGroup>
      </Section>

      <Section name="marker">
        <Marker>
          <MarkerIcon>
            <SearchIcon />
          </MarkerIcon>
          <MarkerContent>Looked through four files</MarkerContent>
        </Marker>
        <Marker variant="separator">
          <MarkerContent>Today</MarkerContent>
        </Marker>
        <Marker variant="border">
          <MarkerContent>
            Grace joined, asked by <a href="#">Ada</a>
          </MarkerContent>
        </Marker>
        <Marker asChild>
          <a href="#">Show what was changed</a>
        </Marker>
      </Section>

      <Section name="message">
        <MessageGroup className="w-full">
          <Message>
            <MessageAvatar>
              <Avatar>
                <AvatarFallback>GH</AvatarFallback>
              </Avatar>
            </MessageAvatar>
            <MessageContent>
              <MessageHeader>Grace</MessageHeader>
              <Bubble variant="muted">
                <BubbleContent>The build is green again.</BubbleContent>
              </Bubble>
              <Bubble variant="muted">
                <BubbleContent>It was the cache, as so often: two versions of one package in it.</BubbleContent>
              </Bubble>
            </MessageContent>
          </Message>
          <Message align="end">
            <MessageAvatar>
              <Avatar>
                <AvatarFallback>AL</AvatarFallback>
              </Avatar>
            </MessageAvatar>
            <MessageContent>
              <Bubble>
                <BubbleContent>Thank you! I’ll write that down.</BubbleContent>
              </Bubble>
              <MessageFooter>Read at 9:41</MessageFooter>
            </MessageContent>
          </Message>
        </MessageGroup>
      </Section>

      <Section name="message-scroller">
        <Conversation />
      </Section>
      <Section name="questionnaire">
        <Survey />
      </Section>
    </>
  );
}

type Line = { id: string; from: "me" | "you"; text: string };

const talk: Line[] = Array.from({ length: 12 }, (_, index) => ({
  id: `line-${index}`,
  from: index % 2 === 0 ? "me" : "you",
  text: index % 2 === 0 ? `Question ${index / 2 + 1}` : `Answer ${(index + 1) / 2}, which goes on for a little longer than the question did.`,
}));

function Conversation() {
  const [lines, setLines] = React.useState(talk);
  const add = (line: Line) => setLines((lines) => [...lines, line]);
  const ask = () => {
    const number = lines.length;
    add({ id: `asked-${number}`, from: "me", text: "One more question" });
    const words = "It comes a word at a time, as a model writes it, until there is more of it than fits in view at once. ".repeat(4).split(" ");
    add({ id: `written-${number}`, from: "you", text: "" });
    words.forEach((word, index) =>
      setTimeout(
        () =>
          setLines((lines) =>
            lines.map((line) => (line.id === `written-${number}` ? { ...line, text: `${line.text} ${word}` } : line)),
          ),
        index * 10,
      ),
    );
  };
  const load = () =>
    setLines((lines) => [
      ...[3, 2, 1].map((number): Line => ({ id: `earlier-${lines.length}-${number}`, from: "you", text: `Said ${number} days before` })),
      ...lines,
    ]);

  return (
    <MessageScrollerProvider autoScroll>
      <div className="flex h-72 w-full flex-col rounded-md border">
        <MessageScroller className="flex-1">
          <MessageScrollerViewport>
            <MessageScrollerContent className="gap-4 p-3">
              <MessageScrollerItem className="text-center">
                <Button size="xs" variant="ghost" onClick={load}>
                  Load earlier
                </Button>
              </MessageScrollerItem>
              {lines.map((line) => (
                <MessageScrollerItem key={line.id} messageId={line.id} scrollAnchor={line.from === "me"}>
                  <Message align={line.from === "me" ? "end" : "start"}>
                    <MessageContent>
                      <Bubble variant={line.from === "me" ? "default" : "muted"}>
                        <BubbleContent>{line.text}</BubbleContent>
                      </Bubble>
                    </MessageContent>
                  </Message>
                </MessageScrollerItem>
              ))}
            </MessageScrollerContent>
          </MessageScrollerViewport>
          <MessageScrollerButton direction="start" />
          <MessageScrollerButton />
        </MessageScroller>
        <Where ask={ask} />
      </div>
    </MessageScrollerProvider>
  );
}

function Where({ ask }: { ask: () => void }) {
  const { scrollToMessage } = useMessageScroller();
  const { end } = useMessageScrollerScrollable();
  const { currentAnchorId, visibleMessageIds } = useMessageScrollerVisibility();
  return (
    <div className="flex flex-wrap items-center gap-2 border-t p-2 text-xs text-muted-foreground">
      <Button size="xs" onClick={ask}>
        <SendIcon /> Ask
      </Button>
      <Button size="xs" variant="outline" onClick={() => scrollToMessage("line-2", { behavior: "instant" })}>
        To question 2
      </Button>
      <output aria-label="Where the reader is">
        {end ? "More below" : "At the end"}, {visibleMessageIds.length} in view, in the turn of {currentAnchorId ?? "nobody"}
      </output>
    </div>
  );
}

const questions = [
  { name: "what", required: true },
  { name: "where", required: true },
  { name: "more", required: false },
];

function Survey() {
  return (
    <Questionnaire
      items={questions}
      shortcuts="letters"
      onSubmit={(event) => {
        event.preventDefault();
        const answers = new FormData(event.currentTarget);
        toast.success("Answered", {
          description: questions.map(({ name }) => `${name}: ${answers.getAll(name).join(" and ") || "nothing"}`).join(", "),
        });
      }}
    >
      <QuestionnaireProgress />
      <QuestionnaireItem name="what" required>
        <QuestionnaireTitle>What should we build first?</QuestionnaireTitle>
        <QuestionnaireDescription>Choose a direction, or write your own.</QuestionnaireDescription>
        <QuestionnaireChoices>
          <QuestionnaireChoice value="search">
            <span className="font-medium">Search</span>
            <QuestionnaireChoiceDescription>Find anything that was ever said.</QuestionnaireChoiceDescription>
          </QuestionnaireChoice>
          <QuestionnaireChoice value="calendar">Calendar</QuestionnaireChoice>
          <QuestionnaireChoice value="map" disabled>
            Map
          </QuestionnaireChoice>
          <QuestionnaireInput aria-label="Another answer" placeholder="Something else" />
        </QuestionnaireChoices>
        <QuestionnaireError />
      </QuestionnaireItem>
      <QuestionnaireItem name="where" required multiple>
        <QuestionnaireTitle>Where will you use it?</QuestionnaireTitle>
        <QuestionnaireChoices>
          <QuestionnaireChoice value="phone">Phone</QuestionnaireChoice>
          <QuestionnaireChoice value="desktop">Desktop</QuestionnaireChoice>
        </QuestionnaireChoices>
        <QuestionnaireError>Choose one at least.</QuestionnaireError>
      </QuestionnaireItem>
      <QuestionnaireItem name="more">
        <QuestionnaireTitle>Anything else?</QuestionnaireTitle>
        <QuestionnaireChoices>
          <QuestionnaireInput aria-label="Your wishes" />
        </QuestionnaireChoices>
      </QuestionnaireItem>
      <QuestionnaireActions>
        <QuestionnairePrevious />
        <QuestionnaireSkip />
        <QuestionnaireNext />
        <QuestionnaireSubmit />
      </QuestionnaireActions>
    </Questionnaire>
  );
}
