"""The functions as FastAPI's documentation would have them written; async def is its fast form."""

import benchwork
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Text(BaseModel):
    text: str


class Texts(BaseModel):
    texts: list[str]


@app.post("/echo/")
async def echo(body: Text):
    return benchwork.echo(body.text)


@app.post("/score/")
async def score(body: Texts):
    return benchwork.score(body.texts)
